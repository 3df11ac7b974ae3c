package org.irnet.demo;

import static org.junit.Assert.fail;
import static org.robolectric.Shadows.shadowOf;

import android.Manifest;
import android.app.Application;
import android.content.Intent;
import android.content.pm.ActivityInfo;
import android.content.pm.PackageManager;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.Color;
import android.net.Uri;
import android.os.Bundle;
import android.os.Looper;
import android.view.View;
import android.widget.TextView;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.irnet.core.InferenceSession;
import org.robolectric.Robolectric;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.shadows.ShadowActivity;

/** The app on a screen, and a hand that uses it. */
final class Phone implements AutoCloseable {
  private static final Uri PICTURE = Uri.parse("content://pictures/1");
  private static final long LIMIT_NANOS = 20_000_000_000L;

  private ActivityController<Rig> controller;

  private Phone() {}

  /**
   * @param sessions null: the app's own
   * @param assets null: the app's own
   * @param cameraAllowed whether the permission was given before
   */
  static Phone start(
      InferenceSession.Factory sessions, Models.Assets assets, boolean cameraAllowed) {
    Rig.sessions = sessions;
    Rig.assets = assets;
    Application app = RuntimeEnvironment.getApplication();
    if (cameraAllowed) {
      shadowOf(app).grantPermissions(Manifest.permission.CAMERA);
    } else {
      shadowOf(app).denyPermissions(Manifest.permission.CAMERA);
    }
    ActivityInfo info = new ActivityInfo();
    info.packageName = app.getPackageName();
    info.name = Rig.class.getName();
    info.applicationInfo = app.getApplicationInfo();
    shadowOf(app.getPackageManager()).addOrUpdateActivity(info);
    Phone phone = new Phone();
    phone.controller = Robolectric.buildActivity(Rig.class).setup();
    return phone;
  }

  Rig activity() {
    return controller.get();
  }

  ActivityController<Rig> controller() {
    return controller;
  }

  ShadowActivity shadow() {
    return shadowOf((android.app.Activity) activity());
  }

  <T extends View> T view(int id) {
    return activity().findViewById(id);
  }

  String text(int id) {
    return this.<TextView>view(id).getText().toString();
  }

  boolean shows(int id) {
    return view(id).isShown();
  }

  /** Presses a button. */
  void press(int id) {
    if (!shows(id) || !view(id).isEnabled()) {
      fail("not to be pressed: " + activity().getResources().getResourceEntryName(id));
    }
    view(id).performClick();
  }

  /** Lets the main thread work until something is so. */
  void await(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + LIMIT_NANOS;
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > end) {
        fail("waited in vain for: " + what);
      }
      shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(50));
      Thread.onSpinWait();
    }
    shadowOf(Looper.getMainLooper()).idle();
  }

  /** The answer to the question for the camera. */
  void answer(boolean allowed) {
    int result = allowed ? PackageManager.PERMISSION_GRANTED : PackageManager.PERMISSION_DENIED;
    activity()
        .onRequestPermissionsResult(
            1, new String[] {Manifest.permission.CAMERA}, new int[] {result});
  }

  /** Picks a picture in the other app that was asked for one. */
  void pick(byte[] file) {
    shadowOf(activity().getContentResolver())
        .registerInputStreamSupplier(PICTURE, () -> new ByteArrayInputStream(file));
    press(R.id.pick);
    Intent asked = shadow().getNextStartedActivityForResult().intent;
    shadow().receiveResult(asked, android.app.Activity.RESULT_OK, new Intent().setData(PICTURE));
  }

  /** A PNG file of one colour. */
  static byte[] plainPicture() {
    Bitmap bitmap = Bitmap.createBitmap(64, 48, Bitmap.Config.ARGB_8888);
    bitmap.eraseColor(Color.rgb(40, 160, 70));
    return png(bitmap);
  }

  static byte[] png(Bitmap bitmap) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    bitmap.compress(Bitmap.CompressFormat.PNG, 100, out);
    return out.toByteArray();
  }

  /** Destroys the activity and makes it anew, as a turn of the device does. */
  void recreate() {
    controller.recreate();
  }

  /** Another configuration, as Robolectric's qualifiers. */
  void turn(String qualifiers) {
    RuntimeEnvironment.setQualifiers(qualifiers);
    recreate();
  }

  /** What the window shows, as a PNG file. */
  void screenshot(Path file) throws IOException {
    View window = activity().getWindow().getDecorView();
    Bitmap bitmap =
        Bitmap.createBitmap(window.getWidth(), window.getHeight(), Bitmap.Config.ARGB_8888);
    window.draw(new Canvas(bitmap));
    Files.createDirectories(file.getParent());
    try (OutputStream out = Files.newOutputStream(file)) {
      out.write(png(bitmap));
    }
  }

  @Override
  public void close() {
    controller.pause().stop().destroy();
  }
}
