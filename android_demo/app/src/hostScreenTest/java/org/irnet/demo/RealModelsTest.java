package org.irnet.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.Color;
import android.view.View;
import android.widget.ScrollView;
import android.widget.Spinner;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.irnet.core.Json;
import org.irnet.demo.session.Npz;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;

/** The whole app with the shipped models in TensorFlow Lite; also takes its pictures. */
@RunWith(RobolectricTestRunner.class)
public class RealModelsTest {
  private static final Path SCREENS = Path.of("build", "screens");
  private static final Path SAMPLE =
      Path.of("..", "irnet_keras", "data", "sample", "cifar10_sample.npz");
  private static final int SIDE = 32;
  private static final int IMAGE = 3;  // a truck for all three builds

  private static byte[] sampleImage() throws IOException {
    byte[] images = Npz.bytes(SAMPLE, "test_images");
    Bitmap bitmap = Bitmap.createBitmap(SIDE, SIDE, Bitmap.Config.ARGB_8888);
    int at = 3 * SIDE * SIDE * IMAGE;
    for (int y = 0; y < SIDE; y++) {
      for (int x = 0; x < SIDE; x++, at += 3) {
        int red = images[at] & 255;
        bitmap.setPixel(x, y, Color.rgb(red, images[at + 1] & 255, images[at + 2] & 255));
      }
    }
    return Phone.png(bitmap);
  }

  private static Phone withTruck() throws IOException {
    Phone phone = Phone.start(null, null, false);
    phone.answer(false);
    phone.pick(sampleImage());
    phone.await("a truck", () -> phone.results().startsWith("truck"));
    phone.idle(1000);
    return phone;
  }

  @Test
  public void theShippedModelsRunInTheActivity() throws IOException {
    try (Phone phone = withTruck()) {
      String numbers = phone.text(R.id.numbers);
      assertTrue(numbers, numbers.contains("TFLite 2.16.1\nlce_add_f32_"));
      phone.screenshot(SCREENS.resolve("portrait.png"));
      phone.<Spinner>view(R.id.build).setSelection(1);
      phone.await("float32", () -> !phone.text(R.id.numbers).contains("lce_bconv_"));
      assertTrue(phone.results(), phone.results().startsWith("truck"));
    }
  }

  @Test
  public void turnedAndAtNight() throws IOException {
    RuntimeEnvironment.setQualifiers("+night");
    try (Phone phone = withTruck()) {
      phone.screenshot(SCREENS.resolve("night.png"));
      phone.turn("w740dp-h360dp-land-notnight-xhdpi");
      phone.await("a truck", () -> phone.results().startsWith("truck"));
      phone.idle(1000);
      phone.screenshot(SCREENS.resolve("landscape.png"));
    }
  }

  @Test
  public void inLargeLetters() throws IOException {
    RuntimeEnvironment.setFontScale(2f);
    try (Phone phone = withTruck()) {
      phone.screenshot(SCREENS.resolve("large.png"));
    }
  }

  @Test
  public void damaged() throws IOException {
    try (Phone phone = Phone.start(null, MainActivityTest::damaged, false)) {
      phone.await("damage", () -> phone.text(R.id.message).contains("is damaged"));
      phone.idle(1000);
      phone.screenshot(SCREENS.resolve("damaged.png"));
    }
  }

  /** On sessions of fixed times: those of this machine's TensorFlow Lite say nothing of a phone. */
  @Test
  public void aComparisonIsShownKeptAndShared() throws IOException {
    FakeSessions sessions = new FakeSessions();
    try (Phone phone = Phone.start(sessions, null, false)) {
      phone.answer(false);
      phone.pick(sampleImage());
      phone.await("a result", () -> phone.results().contains("frog"));
      phone.press(R.id.compare);
      phone.await("the comparison", () -> phone.text(R.id.compared).length() > 0);
      String text = phone.text(R.id.compared);
      assertTrue(text, text.startsWith("1-bit: 1.00 ms, "));
      assertTrue(text, text.contains("2.00 times as long as 1-bit (95 % within 2.00 to 2.00)"));
      assertTrue(text, text.contains("3.00 times as long as 1-bit"));
      phone.idle(1000);
      assertTrue("scrolled to", phone.view(R.id.panel).getScrollY() > 0);
      phone.recreate();
      assertEquals(text, phone.text(R.id.compared));
      phone.await("a result", () -> phone.results().contains("frog"));
      phone.idle(1000);
      ScrollView panel = phone.view(R.id.panel);
      panel.fullScroll(View.FOCUS_DOWN);
      panel.scrollTo(0, panel.getChildAt(0).getHeight());
      phone.idle(1000);
      phone.screenshot(SCREENS.resolve("compare.png"));
      phone.press(R.id.share);
      Intent chooser = phone.lastStarted();
      assertEquals(Intent.ACTION_CHOOSER, chooser.getAction());
      Intent send = chooser.getParcelableExtra(Intent.EXTRA_INTENT, Intent.class);
      assertEquals("text/plain", send.getType());
      Map<?, ?> result = (Map<?, ?>) Json.parse(send.getStringExtra(Intent.EXTRA_TEXT));
      assertEquals("irnet.bench/1", result.get("schema_id"));
      List<?> builds = (List<?>) result.get("builds");
      assertEquals(3, builds.size());
      assertEquals(60, ((List<?>) ((Map<?, ?>) builds.get(2)).get("samples_ms")).size());
    }
    assertFalse(sessions.opened.get() == 0);
    assertEquals(sessions.opened.get(), sessions.closed.get());
  }
}
