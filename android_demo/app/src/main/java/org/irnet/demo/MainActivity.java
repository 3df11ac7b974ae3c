package org.irnet.demo;

import android.Manifest;
import android.app.Activity;
import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.graphics.Bitmap;
import android.graphics.SurfaceTexture;
import android.hardware.display.DisplayManager;
import android.media.Image;
import android.net.Uri;
import android.os.Bundle;
import android.os.Process;
import android.os.SystemClock;
import android.provider.Settings;
import android.util.Log;
import android.view.TextureView;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.irnet.core.Comparison;
import org.irnet.core.FormatException;
import org.irnet.core.FrameConverter;
import org.irnet.core.InferenceLoop;
import org.irnet.core.InferenceSession;
import org.irnet.core.LiveNumbers;
import org.irnet.core.ModelManifest;
import org.irnet.core.PictureConverter;
import org.irnet.core.ui.Screen;
import org.irnet.core.ui.ScreenEvent;
import org.irnet.core.ui.ScreenState;
import org.irnet.demo.session.TfliteSession;

/**
 * Wires camera, inference loop and screen together. What the screen shows is decided by {@link
 * Screen}, how by {@link MainView}; every callback of another thread comes back as an event here.
 */
public class MainActivity extends Activity
    implements InferenceLoop.Listener, CameraSource.Listener, MainView.Actions {
  private static final String TAG = "irnet";
  private static final int ASK_CAMERA = 1;
  private static final int PICK = 2;
  private static final int ROUNDS = 60;
  private static final int WARMUP = 10;
  private static final int REFRESH_MS = 200;
  private static final String KEY_BUILD = "build";
  private static final String KEY_THREADS = "threads";
  private static final String KEY_ASKED = "asked";

  /** Whether the process has logged its first result. */
  private static volatile boolean logged;

  private final LiveNumbers numbers = new LiveNumbers();
  private MainView view;
  private Screen screen = Screen.start();
  private List<ModelManifest.Model> builds = new ArrayList<>();
  private int build;
  private int threads = 1;
  private boolean asked;
  private boolean answered;
  private String shared;
  private String compared;
  private Bitmap picture;
  private boolean refreshing;
  private boolean started;

  private InferenceLoop loop;
  private CameraSource camera;
  private InferenceLoop.Selection selection;
  private String engine = "";

  // Read by the camera's thread; frames only change under the lock.
  private volatile int rotation;
  private volatile boolean frames;
  private final Object framesLock = new Object();

  // Of the camera's thread.
  private int sensorDegrees;
  private boolean front;
  private FrameConverter converter;
  private int size;
  private byte[] rgb;

  private final DisplayManager.DisplayListener turning =
      new DisplayManager.DisplayListener() {
        @Override
        public void onDisplayAdded(int id) {}

        @Override
        public void onDisplayRemoved(int id) {}

        @Override
        public void onDisplayChanged(int id) {
          turn();  // by half a turn the activity stays
        }
      };

  /** What a turned screen keeps. */
  private record Kept(Bitmap picture, String shared, String compared) {}

  @Override
  protected void onCreate(Bundle state) {
    super.onCreate(state);
    setContentView(R.layout.main);
    if (state != null) {
      build = state.getInt(KEY_BUILD);
      threads = state.getInt(KEY_THREADS);
      asked = state.getBoolean(KEY_ASKED);
    }
    view = new MainView(this, this);
    if (getLastNonConfigurationInstance() instanceof Kept kept) {
      if (kept.picture() != null) {
        picture = kept.picture();
        screen = screen.after(new ScreenEvent.PicturePicked());
      }
      if (kept.shared() != null) {
        showComparison(kept.shared(), kept.compared());
      }
    }
  }

  @Override
  public Object onRetainNonConfigurationInstance() {
    return new Kept(picture, shared, compared);
  }

  /** What tests replace. */
  Models models() {
    return new Models(getAssets()::open);
  }

  /** What tests replace. */
  InferenceSession.Factory sessions() {
    return TfliteSession::open;
  }

  @Override
  protected void onSaveInstanceState(Bundle state) {
    super.onSaveInstanceState(state);
    state.putInt(KEY_BUILD, build);
    state.putInt(KEY_THREADS, threads);
    state.putBoolean(KEY_ASKED, asked);
  }

  @Override
  protected void onStart() {
    super.onStart();
    started = true;
    getSystemService(DisplayManager.class).registerDisplayListener(turning, null);
    Models models = models();
    try {
      ModelManifest manifest = models.manifest();
      builds = manifest.buildsOf(manifest.models().get(0));
      build = Math.min(build, builds.size() - 1);
      view.setChoices(builds, build, threads);
      size = builds.get(build).size();
      loop = new InferenceLoop(sessions(), models, this);
      select(build, threads);
    } catch (IOException | FormatException e) {
      apply(new ScreenEvent.ModelFailed(Models.fault(e), String.valueOf(e.getMessage())));
    }
    if (checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED) {
      openCamera();
    } else if (!asked) {
      asked = true;
      requestPermissions(new String[] {Manifest.permission.CAMERA}, ASK_CAMERA);
    } else {
      apply(new ScreenEvent.PermissionRefused(answered && refusedForGood()));
    }
  }

  @Override
  protected void onStop() {
    started = false;
    frames = false;
    getSystemService(DisplayManager.class).unregisterDisplayListener(turning);
    closeCamera();
    if (loop != null) {
      loop.close();
      loop = null;
    }
    super.onStop();
  }

  @Override
  public void onRequestPermissionsResult(int code, String[] permissions, int[] results) {
    if (code != ASK_CAMERA) {
      return;
    }
    answered = results.length > 0;  // else the question was interrupted
    if (answered && results[0] == PackageManager.PERMISSION_GRANTED) {
      openCamera();
    } else {
      apply(new ScreenEvent.PermissionRefused(answered && refusedForGood()));
    }
  }

  private boolean refusedForGood() {
    return !shouldShowRequestPermissionRationale(Manifest.permission.CAMERA);
  }

  // What the user does.

  @Override
  public void choose(int newBuild, int newThreads) {
    if (newBuild != build || newThreads != threads) {
      select(newBuild, newThreads);
    }
  }

  @Override
  public void compare() {
    if (loop == null || !screen.canCompare()) {
      return;
    }
    List<InferenceLoop.Selection> all = new ArrayList<>();
    for (ModelManifest.Model model : builds) {
      all.add(new InferenceLoop.Selection(model, threads));
    }
    apply(new ScreenEvent.CompareStarted(ROUNDS));
    loop.compare(all, ROUNDS, WARMUP, System.nanoTime());
  }

  @Override
  public void pickOrClose() {
    if (screen.picture()) {
      picture = null;
      numbers.clear(selection);
      apply(new ScreenEvent.PictureClosed());
      return;
    }
    Intent pick = new Intent(Intent.ACTION_GET_CONTENT).setType("image/*");
    try {
      startActivityForResult(pick.addCategory(Intent.CATEGORY_OPENABLE), PICK);
    } catch (ActivityNotFoundException e) {
      view.say(getString(R.string.picture_failed));
    }
  }

  @Override
  public void share() {
    Intent send = new Intent(Intent.ACTION_SEND).setType("text/plain");
    send.putExtra(Intent.EXTRA_TEXT, shared);
    startActivity(Intent.createChooser(send, getString(R.string.share)));
  }

  @Override
  public void remedy() {
    ScreenState state = screen.state();
    if (state instanceof ScreenState.PermissionDenied denied) {
      if (denied.forGood()) {
        Uri app = Uri.fromParts("package", getPackageName(), null);
        startActivity(new Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, app));
      } else {
        requestPermissions(new String[] {Manifest.permission.CAMERA}, ASK_CAMERA);
      }
    } else if (state instanceof ScreenState.CameraProblem) {
      openCamera();
    }
  }

  @Override
  protected void onActivityResult(int code, int result, Intent data) {
    if (code != PICK || result != RESULT_OK || data == null || data.getData() == null) {
      return;
    }
    Uri uri = data.getData();
    // Whoever provides it may take long.
    new Thread(() -> readPicture(uri), "picture").start();
  }

  private void readPicture(Uri uri) {
    try {
      Bitmap read = Pictures.read(getContentResolver(), uri);
      runOnUiThread(
          () -> {
            picture = read;
            numbers.clear(selection);
            apply(new ScreenEvent.PicturePicked());
            offerPicture();
          });
    } catch (IOException e) {
      Log.w(TAG, "picture", e);
      runOnUiThread(() -> view.say(getString(R.string.picture_failed)));
    }
  }

  private void offerPicture() {
    if (picture == null || loop == null) {
      return;
    }
    int width = picture.getWidth();
    int height = picture.getHeight();
    int[] pixels = new int[width * height];
    picture.getPixels(pixels, 0, width, 0, 0, width, height);
    loop.offer(PictureConverter.convert(pixels, width, height, builds.get(build).size()));
  }

  private void select(int newBuild, int newThreads) {
    build = newBuild;
    threads = newThreads;
    selection = new InferenceLoop.Selection(builds.get(build), threads);
    numbers.clear(selection);
    apply(new ScreenEvent.ModelChosen());
    if (loop != null) {
      loop.select(selection);
    }
  }

  private void openCamera() {
    closeCamera();
    apply(new ScreenEvent.PermissionGranted());
    TextureView texture = view.preview();
    texture.setSurfaceTextureListener(new WhenAvailable());
    if (texture.isAvailable()) {
      startCamera(texture.getSurfaceTexture());
    }
  }

  private void closeCamera() {
    if (camera != null) {
      camera.close();
      camera = null;
    }
  }

  private void startCamera(SurfaceTexture texture) {
    if (started && camera == null) {
      turn();
      camera = new CameraSource(this, texture, this);
    }
  }

  @SuppressWarnings("deprecation")  // the other form needs API 30
  private void turn() {
    // Surface.ROTATION_0 to 270 are 0 to 3.
    rotation = 90 * getWindowManager().getDefaultDisplay().getRotation();
    view.turnPreview(rotation);
  }

  // What the camera says, on its thread.

  @Override
  public void onOpened(int degrees, boolean facesUser) {
    sensorDegrees = degrees;
    front = facesUser;
    post(new ScreenEvent.CameraOpened());
  }

  @Override
  public void onFrame(Image image) {
    InferenceLoop target = loop;
    if (!frames || target == null) {
      return;
    }
    if (converter == null) {
      converter = new FrameConverter(size);
      rgb = new byte[3 * size * size];
    }
    Image.Plane[] planes = image.getPlanes();
    set(converter.y, planes[0]);
    set(converter.u, planes[1]);
    set(converter.v, planes[2]);
    int degrees = FrameConverter.turn(sensorDegrees, rotation, front);
    converter.convert(image.getWidth(), image.getHeight(), degrees, rgb);
    synchronized (framesLock) {
      if (frames) {  // still, else this would replace a picture that waits
        target.offer(rgb);
      }
    }
  }

  private static void set(FrameConverter.Plane plane, Image.Plane from) {
    plane.set(from.getBuffer(), from.getRowStride(), from.getPixelStride());
  }

  @Override
  public void onFailed(ScreenState.CameraFault fault) {
    Log.w(TAG, "camera: " + fault);
    post(new ScreenEvent.CameraFailed(fault));
  }

  // What the inference loop says, on its thread.

  @Override
  public void onReady(InferenceLoop.Selection ready, String name, long openNanos) {
    Log.i(TAG, String.format(Locale.ROOT, "open_ms=%.1f engine=%s", openNanos / 1e6, name));
    runOnUiThread(
        () -> {
          if (ready == selection) {
            engine = name;
            apply(new ScreenEvent.ModelReady());
            offerPicture();
          }
        });
  }

  @Override
  public void onResult(InferenceLoop.Selection of, float[] logits, long nanos) {
    if (!logged) {
      logged = true;
      long sinceStart = SystemClock.elapsedRealtime() - Process.getStartElapsedRealtime();
      Log.i(TAG, "result_after_start_ms=" + sinceStart);
    }
    numbers.add(of, logits, nanos);
  }

  @Override
  public void onFailed(InferenceLoop.Selection failed, Throwable cause) {
    Log.e(TAG, "model " + failed.model.name(), cause);
    runOnUiThread(
        () -> {
          if (failed == selection) {
            String detail = String.valueOf(cause.getMessage());
            apply(new ScreenEvent.ModelFailed(Models.fault(cause), detail));
          }
        });
  }

  @Override
  public void onCompareProgress(int done, int rounds) {
    if (done % 10 == 0) {
      post(new ScreenEvent.CompareProgress(done, rounds));
    }
  }

  @Override
  public void onCompared(Comparison comparison) {
    String json = comparison.toJson(DeviceInfo.read());
    String text = MainView.describe(this, comparison);
    try {
      Log.i(TAG, "result_file=" + ResultFile.write(this, json));
    } catch (IOException e) {
      Log.w(TAG, "no result file", e);  // it can still be shared
    }
    runOnUiThread(
        () -> {
          showComparison(json, text);
          apply(new ScreenEvent.CompareEnded());
        });
  }

  @Override
  public void onCompareFailed(Throwable cause) {
    Log.e(TAG, "compare", cause);
    String text = getString(R.string.compare_failed, String.valueOf(cause.getMessage()));
    runOnUiThread(
        () -> {
          view.say(text);
          apply(new ScreenEvent.CompareEnded());
        });
  }

  private void showComparison(String json, String text) {
    shared = json;
    compared = text;
    view.showComparison(text);
  }

  private void post(ScreenEvent event) {
    runOnUiThread(() -> apply(event));
  }

  private void apply(ScreenEvent event) {
    screen = screen.after(event);
    synchronized (framesLock) {
      frames = screen.usesFrames() || (screen.compareRounds() > 0 && !screen.picture());
    }
    view.show(screen, picture);
    if (!refreshing && started) {
      refreshing = true;
      refresh();
    }
  }

  private void refresh() {
    if (!started) {
      refreshing = false;
      return;
    }
    if (selection != null && screen.compareRounds() == 0) {
      view.showNumbers(selection.model, numbers, engine);
    }
    view.preview().postDelayed(this::refresh, REFRESH_MS);
  }

  private final class WhenAvailable implements TextureView.SurfaceTextureListener {
    @Override
    public void onSurfaceTextureAvailable(SurfaceTexture texture, int width, int height) {
      startCamera(texture);
    }

    @Override
    public void onSurfaceTextureSizeChanged(SurfaceTexture texture, int width, int height) {
      view.turnPreview(rotation);
    }

    @Override
    public boolean onSurfaceTextureDestroyed(SurfaceTexture texture) {
      closeCamera();
      return true;
    }

    @Override
    public void onSurfaceTextureUpdated(SurfaceTexture texture) {}
  }
}
