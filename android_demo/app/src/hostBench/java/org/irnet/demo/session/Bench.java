package org.irnet.demo.session;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.irnet.core.FrameConverter;
import org.irnet.core.InferenceSession;
import org.irnet.core.ModelManifest;
import org.irnet.core.Statistics;

/** Times what of a frame's way runs on a desktop; started by {@code tools/demo.py bench}. */
final class Bench {
  private static final Path ASSETS = Path.of("app", "src", "main", "assets");
  private static final int WARMUP = 500;
  private static final int RUNS = 500;
  private static final int WIDTH = 640;
  private static final int HEIGHT = 480;

  private Bench() {}

  public static void main(String[] arguments) throws IOException {
    long begun = System.nanoTime();
    ModelManifest manifest = ModelManifest.parse(Files.readString(ASSETS.resolve("models.json")));
    ModelManifest.Model model = manifest.models().get(0);
    byte[] content = Files.readAllBytes(ASSETS.resolve(model.file()));
    model.verify(content);
    int size = model.size();
    byte[] rgb = new byte[3 * size * size];
    float[] logits = new float[model.dataset().labels().size()];
    try (InferenceSession session = TfliteSession.open(model, content, 1)) {
      session.run(rgb, logits);
      report("manifest to first result, 1-bit", (System.nanoTime() - begun) / 1e6);
      report("frame in the 1-bit model", median(() -> session.run(rgb, logits)));
    }
    for (int chroma = 1; chroma <= 2; chroma++) {
      FrameConverter converter = camera(size, chroma);
      String name = WIDTH + "x" + HEIGHT + " YUV (pixel stride " + chroma + ") to RGB input";
      report(name, median(() -> converter.convert(WIDTH, HEIGHT, 90, rgb)));
    }
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmHWM")) {
        System.out.println("peak memory of the whole JVM: " + line.substring(6).trim());
      }
    }
  }

  private static FrameConverter camera(int size, int stride) {
    FrameConverter converter = new FrameConverter(size);
    converter.y.set(noise(WIDTH * HEIGHT), WIDTH, 1);
    int row = WIDTH / 2 * stride;
    converter.u.set(noise(row * HEIGHT / 2), row, stride);
    converter.v.set(noise(row * HEIGHT / 2), row, stride);
    return converter;
  }

  private static ByteBuffer noise(int bytes) {
    byte[] values = new byte[bytes];
    new Random(bytes).nextBytes(values);
    return ByteBuffer.allocateDirect(bytes).put(values);
  }

  private static double median(Runnable code) {
    double[] samples = new double[RUNS];
    for (int i = -WARMUP; i < RUNS; i++) {
      long begun = System.nanoTime();
      code.run();
      if (i >= 0) {
        samples[i] = (System.nanoTime() - begun) / 1e6;
      }
    }
    return Statistics.median(samples);
  }

  private static void report(String what, double milliseconds) {
    System.out.printf("%s: %.3f ms%n", what, milliseconds);
  }
}
