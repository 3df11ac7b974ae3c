package org.irnet.core.ui;

/** What the screen shows in place of, or around, the numbers. */
public sealed interface ScreenState {
  /** The system's question has not been answered. */
  record AskingPermission() implements ScreenState {}

  /**
   * The camera may not be used; pictures can still be picked.
   *
   * @param forGood the system will not ask again, so only its settings help
   */
  record PermissionDenied(boolean forGood) implements ScreenState {}

  /** A model is being opened. */
  record Loading() implements ScreenState {}

  /** Frames run. */
  record Live() implements ScreenState {}

  /** A picked picture is shown and was run. */
  record Picture() implements ScreenState {}

  /**
   * @param done rounds so far
   */
  record Comparing(int done, int rounds) implements ScreenState {}

  /** The camera cannot be used now; pictures can still be picked. */
  record CameraProblem(CameraFault fault) implements ScreenState {}

  /** Nothing can run until another model is chosen, or the app is installed anew. */
  record ModelProblem(ModelFault fault, String detail) implements ScreenState {}

  /** Why there are no frames. */
  enum CameraFault {
    NONE,
    IN_USE,
    DISABLED,
    FAILED
  }

  /** Why there are no results. */
  enum ModelFault {
    MISSING,
    CORRUPT,
    UNSUPPORTED_ABI,
    REFUSED
  }
}
