package org.irnet.core.ui;

import org.irnet.core.ui.ScreenState.CameraFault;
import org.irnet.core.ui.ScreenState.ModelFault;

/**
 * The screen as a value: camera, model, picture and comparison each have their own state, and
 * {@link #state} says which one the user sees. {@link #after} is the only way to another screen.
 */
public record Screen(
    Camera camera,
    Model model,
    boolean picture,
    int compareDone,
    int compareRounds,
    CameraFault cameraFault,
    ModelFault modelFault,
    String detail) {

  enum Camera {
    ASKING,
    REFUSED,
    REFUSED_FOR_GOOD,
    OPENING,
    OPEN,
    FAILED
  }

  enum Model {
    LOADING,
    READY,
    FAILED
  }

  /** Before the permission is known. */
  public static Screen start() {
    return new Screen(Camera.ASKING, Model.LOADING, false, 0, 0, null, null, "");
  }

  /** The screen after {@code event}; one that does not fit changes nothing. */
  public Screen after(ScreenEvent event) {
    if (event instanceof ScreenEvent.PermissionGranted) {
      return withCamera(Camera.OPENING, null);  // opened anew, also where it was open
    }
    if (event instanceof ScreenEvent.PermissionRefused refused) {
      return withCamera(refused.forGood() ? Camera.REFUSED_FOR_GOOD : Camera.REFUSED, null);
    }
    if (event instanceof ScreenEvent.CameraOpened) {
      return withCamera(Camera.OPEN, null);
    }
    if (event instanceof ScreenEvent.CameraFailed failed) {
      return withCamera(Camera.FAILED, failed.fault());
    }
    if (event instanceof ScreenEvent.ModelChosen) {
      return withModel(Model.LOADING, null, "").withCompare(0, 0);
    }
    if (event instanceof ScreenEvent.ModelReady) {
      return withModel(Model.READY, null, "");
    }
    if (event instanceof ScreenEvent.ModelFailed failed) {
      return withModel(Model.FAILED, failed.fault(), failed.detail()).withCompare(0, 0);
    }
    if (event instanceof ScreenEvent.PicturePicked) {
      return withPicture(true);
    }
    if (event instanceof ScreenEvent.PictureClosed) {
      return withPicture(false);
    }
    if (event instanceof ScreenEvent.CompareStarted started) {
      return model == Model.READY ? withCompare(0, started.rounds()) : this;
    }
    if (event instanceof ScreenEvent.CompareProgress progress) {
      return compareRounds > 0 ? withCompare(progress.done(), progress.rounds()) : this;
    }
    return withCompare(0, 0);  // CompareEnded
  }

  /** What is shown: models first, for without one nothing else matters. */
  public ScreenState state() {
    if (model == Model.FAILED) {
      return new ScreenState.ModelProblem(modelFault, detail);
    }
    if (compareRounds > 0) {
      return new ScreenState.Comparing(compareDone, compareRounds);
    }
    if (picture) {
      return model == Model.READY ? new ScreenState.Picture() : new ScreenState.Loading();
    }
    return switch (camera) {
      case ASKING -> new ScreenState.AskingPermission();
      case REFUSED -> new ScreenState.PermissionDenied(false);
      case REFUSED_FOR_GOOD -> new ScreenState.PermissionDenied(true);
      case FAILED -> new ScreenState.CameraProblem(cameraFault);
      case OPENING -> new ScreenState.Loading();
      case OPEN -> model == Model.READY ? new ScreenState.Live() : new ScreenState.Loading();
    };
  }

  /** Whether frames of the camera go to the network. */
  public boolean usesFrames() {
    return camera == Camera.OPEN && model == Model.READY && !picture;
  }

  /** Whether "Compare" can be pressed: something to compare on and nothing being compared. */
  public boolean canCompare() {
    return model == Model.READY && compareRounds == 0 && (picture || camera == Camera.OPEN);
  }

  private Screen withCamera(Camera next, CameraFault fault) {
    return new Screen(
        next, model, picture, compareDone, compareRounds, fault, modelFault, detail);
  }

  private Screen withModel(Model next, ModelFault fault, String why) {
    return new Screen(
        camera, next, picture, compareDone, compareRounds, cameraFault, fault, why);
  }

  private Screen withPicture(boolean shown) {
    return new Screen(
        camera, model, shown, compareDone, compareRounds, cameraFault, modelFault, detail);
  }

  private Screen withCompare(int done, int rounds) {
    return new Screen(camera, model, picture, done, rounds, cameraFault, modelFault, detail);
  }
}
