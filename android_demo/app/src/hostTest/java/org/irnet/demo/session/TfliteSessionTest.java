package org.irnet.demo.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.irnet.core.Build;
import org.irnet.core.InferenceSession;
import org.irnet.core.Json;
import org.irnet.core.ModelManifest;
import org.irnet.core.TopK;
import org.junit.jupiter.api.Test;

/**
 * The app's inference on a desktop JVM: Android's own TensorFlow Lite library, its Java, our JNI
 * library and the shipped files, against what {@code lce_delegate} says in Python. Runs in the
 * folder {@code android_demo}, started by {@code tools/demo.py host}.
 */
class TfliteSessionTest {
  /** The interpreter's iterator over its map of outputs; this project's own share is 0. */
  private static final long ALLOWED_BY_TFLITE = 128;

  private static final Path ASSETS = Path.of("app", "src", "main", "assets");
  private static final Path SAMPLE =
      Path.of("..", "irnet_keras", "data", "sample", "cifar10_sample.npz");

  private static ModelManifest manifest() throws IOException {
    return ModelManifest.parse(Files.readString(ASSETS.resolve(ModelManifest.FILE)));
  }

  private static byte[] content(ModelManifest.Model model) throws IOException {
    byte[] content = Files.readAllBytes(ASSETS.resolve(model.file()));
    model.verify(content);
    return content;
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Map<String, String>> expected() throws IOException {
    try (InputStream in = TfliteSessionTest.class.getResourceAsStream("/outputs.json")) {
      String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      return (Map<String, Map<String, String>>) Json.parse(text);
    }
  }

  private static String hex(float[] values) {
    StringBuilder out = new StringBuilder();
    for (float value : values) {
      out.append(String.format("%08x", Integer.reverseBytes(Float.floatToRawIntBits(value))));
    }
    return out.toString();
  }

  @Test
  void topClassesOfAllSampleImagesAreIrnetEvals() throws IOException {
    byte[] images = Npz.bytes(SAMPLE, "test_images");
    for (ModelManifest.Model model : manifest().models()) {
      int count = images(model);
      String wanted = expected().get(model.name()).get("top1").substring(0, count);
      String found = run(model, images, true, count)[0];
      int different = 0;
      for (int i = 0; i < wanted.length(); i++) {
        different += wanted.charAt(i) == found.charAt(i) ? 0 : 1;
      }
      System.out.println(model.name() + ": " + different + " of " + found.length() + " differ");
      // XNNPACK of another version, or int8 of another: an image on the edge may fall.
      assertTrue(different <= (model.build() == Build.FLOAT32 ? 0 : 1), model.name());
    }
  }

  @Test
  void outputsAreLceDelegatesInEveryBit() throws IOException {
    byte[] images = Npz.bytes(SAMPLE, "test_images");
    for (ModelManifest.Model model : manifest().models()) {
      Map<String, String> wanted = expected().get(model.name());
      assertEquals(wanted.get("sha256"), model.sha256(), "run tools/make_golden.py");
      if (model.build() == Build.INT8) {
        continue;
      }
      // The float build's plain convolutions are slow here.
      int count = model.build() == Build.ONE_BIT ? 1000 : 32;
      String[] found = run(model, images, false, count);
      String logits = wanted.get("plain_logits");
      assertEquals(logits, found[1].substring(0, logits.length()), model.name());
      assertEquals(wanted.get("plain_top1").substring(0, count), found[0], model.name());
    }
  }

  /**
   * How many to run. int8 rounds differently in every version of TensorFlow Lite, and the x86
   * library of the AAR takes a third of a second for an image.
   */
  private static int images(ModelManifest.Model model) {
    return model.build() == Build.INT8 ? 10 : 1000;
  }

  /** Top classes as digits, and all logits in hexadecimal. */
  private static String[] run(
      ModelManifest.Model model, byte[] images, boolean xnnpack, int count) throws IOException {
    int bytes = 3 * model.size() * model.size();
    float[] logits = new float[model.dataset().labels().size()];
    TopK top = new TopK(1);
    StringBuilder classes = new StringBuilder();
    StringBuilder bits = new StringBuilder();
    try (InferenceSession session =
        TfliteSession.open(model, content(model), 1, "auto", xnnpack)) {
      for (int at = 0; at < bytes * count; at += bytes) {
        session.run(Arrays.copyOfRange(images, at, at + bytes), logits);
        top.update(logits);
        classes.append(top.classAt(0));
        bits.append(hex(logits));
      }
      assertTrue(session.engine().startsWith("TFLite 2."), session.engine());
      assertEquals(model.build() == Build.ONE_BIT, session.engine().contains("lce_bconv_"));
    }
    return new String[] {classes.toString(), bits.toString()};
  }

  @Test
  void badSettingsAndFilesAreRefused() throws IOException {
    ModelManifest.Model model = manifest().models().get(0);
    byte[] content = content(model);
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> TfliteSession.open(model, content, 1, "mmx", true))
            .getMessage();
    assertTrue(message.contains("mmx"), message);
    String strange = "x" + "\u00e9".repeat(30);  // cut within a character by the library
    message =
        assertThrows(
                IllegalArgumentException.class,
                () -> TfliteSession.open(model, content, 1, strange, true))
            .getMessage();
    assertTrue(message.contains("'x??"), message);
    assertTrue(message.chars().allMatch(c -> c < 127), message);
    assertThrows(
        IllegalArgumentException.class, () -> TfliteSession.open(model, content, 99, "auto", true));
    assertThrows(
        IllegalArgumentException.class, () -> TfliteSession.open(model, new byte[64], 1, "auto", true));
    InferenceSession session = TfliteSession.open(model, content, 2, "scalar", true);
    assertTrue(session.engine().contains("lce_bconv_f32_1x32_scalar"), session.engine());
    session.close();
    session.close();
  }

  @Test
  void runAllocatesNothing() throws IOException {
    com.sun.management.ThreadMXBean threads =
        (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    ModelManifest.Model model = manifest().models().get(0);
    byte[] rgb = new byte[3 * model.size() * model.size()];
    float[] logits = new float[model.dataset().labels().size()];
    try (InferenceSession session = TfliteSession.open(model, content(model), 1)) {
      for (int i = 0; i < 100; i++) {
        session.run(rgb, logits);
      }
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < 1000; i++) {
        session.run(rgb, logits);
      }
      long perFrame = (threads.getCurrentThreadAllocatedBytes() - before) / 1000;
      assertTrue(perFrame <= ALLOWED_BY_TFLITE, () -> "bytes per frame: " + perFrame);
    }
  }
}
