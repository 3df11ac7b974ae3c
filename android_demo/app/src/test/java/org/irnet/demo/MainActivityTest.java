package org.irnet.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.Manifest;
import android.content.Context;
import android.content.Intent;
import android.graphics.SurfaceTexture;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraManager;
import android.provider.Settings;
import android.widget.Spinner;
import java.io.ByteArrayInputStream;
import java.io.FileNotFoundException;
import java.io.InputStream;
import org.irnet.core.InferenceSession;
import org.junit.After;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.shadows.ShadowCameraCharacteristics;
import org.robolectric.shadows.ShadowCameraManager;
import org.robolectric.shadows.ShadowToast;

/** What the user meets, on sessions that need no native library. */
@RunWith(RobolectricTestRunner.class)
public class MainActivityTest {
  private final FakeSessions sessions = new FakeSessions();

  @After
  public void everySessionWasClosed() {
    assertEquals(sessions.opened.get(), sessions.closed.get());
  }

  private Phone withPicture() {
    Phone phone = Phone.start(sessions, null, false);
    phone.answer(false);
    phone.pick(Phone.plainPicture());
    phone.await("a result", () -> phone.results().contains("frog"));
    return phone;
  }

  private static InputStream asset(String name) throws java.io.IOException {
    return RuntimeEnvironment.getApplication().getAssets().open(name);
  }

  private Phone failing(InferenceSession.Factory factory, Models.Assets assets, String text) {
    Phone phone = Phone.start(factory, assets, false);
    phone.await(text, () -> phone.text(R.id.message).contains(text));
    assertTrue(phone.shows(R.id.message));
    assertFalse(phone.view(R.id.compare).isEnabled());
    return phone;
  }

  @Test
  public void aPickedPictureShowsItsClass() {
    try (Phone phone = withPicture()) {
      assertTrue(phone.results(), phone.results().startsWith("frog 94 %"));
      String numbers = phone.text(R.id.numbers);
      assertTrue(numbers, numbers.contains("1.00 ms") && numbers.contains("1-bit on 1"));
      assertFalse("one picture has no rate", numbers.contains("frames"));
      phone.press(R.id.pick);
      assertTrue(phone.text(R.id.message).startsWith("Without the camera"));
    }
  }

  @Test
  public void whatIsNoPictureIsSaid() {
    try (Phone phone = Phone.start(sessions, null, false)) {
      phone.answer(false);
      phone.pick(new byte[] {1, 2, 3});
      phone.await(
          "a word", () -> "This picture cannot be read.".equals(ShadowToast.getTextOfLatestToast()));
      assertTrue(phone.text(R.id.message).startsWith("Without the camera"));
    }
  }

  @Test
  public void aRefusedCameraCanBeAllowed() {
    try (Phone phone = Phone.start(sessions, null, false)) {
      assertEquals("Waiting for your answer about the camera", phone.text(R.id.message));
      shadowOf(phone.activity().getPackageManager())
          .setShouldShowRequestPermissionRationale(Manifest.permission.CAMERA, true);
      phone.answer(false);
      assertTrue(phone.text(R.id.message).startsWith("Without the camera"));
      assertEquals("Allow the camera", phone.text(R.id.remedy));
      phone.press(R.id.remedy);
      shadowOf(phone.activity().getPackageManager())
          .setShouldShowRequestPermissionRationale(Manifest.permission.CAMERA, false);
      phone.answer(false);
      assertEquals("Open settings", phone.text(R.id.remedy));
      phone.press(R.id.remedy);
      Intent settings = phone.lastStarted();
      assertEquals(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, settings.getAction());
      assertEquals("package:org.irnet.demo", settings.getDataString());
    }
  }

  private static void previewAppears(Phone phone) {
    android.view.TextureView preview = phone.view(R.id.preview);
    preview.getSurfaceTextureListener().onSurfaceTextureAvailable(new SurfaceTexture(1), 720, 700);
  }

  @Test
  public void aPhoneWithoutCameraSaysSo() {
    try (Phone phone = Phone.start(sessions, null, true)) {
      previewAppears(phone);
      phone.await("no camera", () -> phone.text(R.id.message).contains("has no camera"));
      assertEquals("Try again", phone.text(R.id.remedy));
    }
  }

  @Test
  public void framesRunUntilAnotherAppTakesTheCamera() {
    Context context = RuntimeEnvironment.getApplication();
    CameraCharacteristics back = ShadowCameraCharacteristics.newCameraCharacteristics();
    shadowOf(back)
        .set(CameraCharacteristics.LENS_FACING, CameraCharacteristics.LENS_FACING_BACK);
    shadowOf(back).set(CameraCharacteristics.SENSOR_ORIENTATION, 90);
    ShadowCameraManager cameras = shadowOf(context.getSystemService(CameraManager.class));
    cameras.addCamera("0", back);
    try (Phone phone = Phone.start(sessions, null, true)) {
      previewAppears(phone);
      phone.await("live", () -> phone.view(R.id.compare).isEnabled());
      assertFalse(phone.shows(R.id.message));
      for (int i = 0; i < 5; i++) {
        phone.activity().onFrame(new GreyImage());
      }
      phone.await("a result", () -> phone.results().contains("frog"));
      cameras.triggerDisconnect();
      phone.await("taken", () -> phone.text(R.id.message).startsWith("Another app"));
      assertEquals("Try again", phone.text(R.id.remedy));
    } finally {
      cameras.removeCamera("0");
    }
  }

  @Test
  public void aMissingModelOrManifestIsAState() {
    Models.Assets noFile =
        name -> {
          if (name.endsWith(".tflite")) {
            throw new FileNotFoundException(name);
          }
          return asset(name);
        };
    failing(sessions, noFile, "missing. Install the app again.").close();
    Models.Assets nothing =
        name -> {
          throw new FileNotFoundException(name);
        };
    failing(sessions, nothing, "missing. Install the app again.\nmodels.json").close();
  }

  static InputStream damaged(String name) throws java.io.IOException {
    try (InputStream in = asset(name)) {
      byte[] content = in.readAllBytes();
      if (name.endsWith("1-cifar10.tflite")) {
        content[99] ^= 1;
      }
      return new ByteArrayInputStream(content);
    }
  }

  @Test
  public void aDamagedModelIsAStateThatAnotherBuildLeaves() {
    try (Phone phone = withPicture()) {
      Rig.assets = MainActivityTest::damaged;
      phone.recreate();
      phone.await("damage", () -> phone.text(R.id.message).contains("is damaged"));
      assertTrue(phone.text(R.id.message).contains("expected SHA-256"));
      assertEquals("nothing of before", "", phone.results() + phone.text(R.id.numbers));
      phone.<Spinner>view(R.id.build).setSelection(1);
      phone.await("float32", () -> phone.text(R.id.numbers).contains("float32 on 1"));
      assertFalse(phone.shows(R.id.message));
    }
  }

  @Test
  public void aProcessorWithoutLibraryIsAState() {
    InferenceSession.Factory none =
        (model, content, threads) -> {
          throw new UnsatisfiedLinkError("no tensorflowlite_jni for armeabi-v7a");
        };
    failing(none, null, "processor is not supported").close();
  }

  @Test
  public void aRefusedModelIsAState() {
    InferenceSession.Factory none =
        (model, content, threads) -> {
          throw new IllegalArgumentException("operator 7");
        };
    failing(none, null, "Choose another build.\noperator 7").close();
  }

  @Test
  public void aTurnKeepsChoicePictureAndSessions() {
    try (Phone phone = withPicture()) {
      phone.<Spinner>view(R.id.build).setSelection(2);
      phone.<Spinner>view(R.id.threads).setSelection(1);
      phone.await("int8", () -> phone.text(R.id.numbers).contains("int8 on 2"));
      phone.turn("w740dp-h360dp-land-xhdpi");
      phone.await("int8 again", () -> phone.text(R.id.numbers).contains("int8 on 2"));
      assertEquals(2, phone.<Spinner>view(R.id.build).getSelectedItemPosition());
      assertEquals(1, phone.<Spinner>view(R.id.threads).getSelectedItemPosition());
      assertTrue(phone.shows(R.id.picture));
      assertEquals(1, sessions.opened.get() - sessions.closed.get());
    }
  }

  @Test
  public void progressOfAComparisonStays() throws Exception {
    try (Phone phone = withPicture()) {
      sessions.hold();
      phone.press(R.id.compare);
      phone.idle(1000);
      assertEquals("Comparing: round 0 of 60", phone.text(R.id.numbers));
      assertFalse(phone.view(R.id.build).isEnabled());
      sessions.release();
    }
  }

  @Test
  public void aLateResultOfTheLastBuildIsNotShown() throws Exception {
    try (Phone phone = withPicture()) {
      sessions.hold();
      phone.press(R.id.pick);  // closed and picked again: one more frame, held
      phone.pick(Phone.plainPicture());
      phone.await("a held frame", sessions::isHeld);
      phone.<Spinner>view(R.id.build).setSelection(1);
      phone.idle(100);
      sessions.release();
      phone.await("float32", () -> phone.text(R.id.numbers).contains("float32 on 1"));
      assertTrue(phone.text(R.id.numbers), phone.text(R.id.numbers).contains("Median 2.00 ms"));
    }
  }
}
