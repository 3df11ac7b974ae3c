package org.irnet.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.content.ContentResolver;
import android.graphics.Bitmap;
import android.graphics.Color;
import android.net.Uri;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;

/** Pictures of other apps, and what a turn of the device keeps. */
@RunWith(RobolectricTestRunner.class)
public class PictureTest {
  private static final Uri PICTURE = Uri.parse("content://pictures/2");

  private final FakeSessions sessions = new FakeSessions();
  private final ContentResolver resolver = RuntimeEnvironment.getApplication().getContentResolver();

  /** A JPEG whose left half is red, with an Exif block that states an orientation. */
  private static byte[] jpeg(int orientation) throws IOException {
    Bitmap bitmap = Bitmap.createBitmap(64, 48, Bitmap.Config.ARGB_8888);
    for (int x = 0; x < 64; x++) {
      for (int y = 0; y < 48; y++) {
        bitmap.setPixel(x, y, x < 32 ? Color.RED : Color.BLUE);
      }
    }
    ByteArrayOutputStream plain = new ByteArrayOutputStream();
    bitmap.compress(Bitmap.CompressFormat.JPEG, 100, plain);
    byte[] exif = {
      -1, -31, 0, 34, 'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8,
      0, 1, 1, 18, 0, 3, 0, 0, 0, 1, 0, (byte) orientation, 0, 0, 0, 0, 0, 0
    };
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(plain.toByteArray(), 0, 2);
    out.write(exif);
    out.write(plain.toByteArray(), 2, plain.size() - 2);
    return out.toByteArray();
  }

  private Bitmap read(byte[] file) throws IOException {
    shadowOf(resolver).registerInputStreamSupplier(PICTURE, () -> new ByteArrayInputStream(file));
    return Pictures.read(resolver, PICTURE);
  }

  @Test
  public void picturesAreTurnedUpright() throws IOException {
    Bitmap plain = read(jpeg(1));
    assertEquals(64, plain.getWidth());
    assertTrue(Color.red(plain.getPixel(5, 24)) > 200);
    Bitmap turned = read(jpeg(6));  // a quarter clockwise: the left half is on top then
    assertEquals(48, turned.getWidth());
    assertEquals(64, turned.getHeight());
    assertTrue(Color.red(turned.getPixel(24, 5)) > 200);
    assertTrue(Color.blue(turned.getPixel(24, 60)) > 200);
    Bitmap mirrored = read(jpeg(2));
    assertTrue(Color.blue(mirrored.getPixel(5, 24)) > 200);
  }

  @Test
  public void aProviderThatThrowsIsOnlyAnUnreadablePicture() {
    shadowOf(resolver)
        .registerInputStreamSupplier(
            PICTURE,
            () -> {
              throw new IllegalStateException("hostile");
            });
    assertThrows(IOException.class, () -> Pictures.read(resolver, PICTURE));
    assertThrows(IOException.class, () -> read(new byte[] {1, 2, 3}));
  }

  @Test
  public void aTurnKeepsThePicture() {
    try (Phone phone = Phone.start(sessions, null, false)) {
      phone.answer(false);
      phone.pick(Phone.plainPicture());
      phone.await("a result", () -> phone.results().startsWith("frog"));
      phone.recreate();
      phone.await("it again", () -> phone.results().startsWith("frog"));
      assertTrue(phone.shows(R.id.picture));
    }
    assertEquals(sessions.opened.get(), sessions.closed.get());
  }

  @Test
  public void anInterruptedQuestionCanBeAskedAgain() {
    try (Phone phone = Phone.start(sessions, null, false)) {
      phone.activity().onRequestPermissionsResult(1, new String[0], new int[0]);
      assertEquals("Allow the camera", phone.text(R.id.remedy));
    }
  }
}
