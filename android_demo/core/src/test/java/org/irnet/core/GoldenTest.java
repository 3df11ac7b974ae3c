package org.irnet.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Java and Python compute the same. */
class GoldenTest {
  /** CIFAR-10's, in float32; {@code models.json} has the same. */
  static ModelManifest.Dataset cifar10() {
    float[] scale = {0.01587679609656334f, 0.016105005517601967f, 0.014990705996751785f};
    float[] shift = {1.9894737005233765f, 1.9802875518798828f, 1.7068043947219849f};
    return new ModelManifest.Dataset("cifar10", List.of("a", "b", "c"), scale, shift);
  }

  @Test
  void preprocessingIsTrainingsInEveryBit() throws IOException {
    Preprocessor preprocessor = new Preprocessor(cifar10());
    for (Map<String, Object> row : Golden.rows("preprocessing")) {
      byte[] rgb = Golden.bytes(row, "rgb");
      ByteBuffer input = ByteBuffer.allocate(4 * rgb.length).order(ByteOrder.LITTLE_ENDIAN);
      preprocessor.normalize(rgb, input);
      assertArrayEquals(Golden.bytes(row, "input"), input.array());
    }
  }

  @Test
  void framesBecomeTheSamePixels() throws IOException {
    for (Map<String, Object> row : Golden.rows("frames")) {
      int width = Golden.number(row, "width");
      int height = Golden.number(row, "height");
      int size = Golden.number(row, "size");
      int stride = Golden.number(row, "pixel_stride");
      FrameConverter converter = new FrameConverter(size);
      set(converter.y, Golden.bytes(row, "y"), width, 1, 5);
      set(converter.u, Golden.bytes(row, "u"), width / 2, stride, 3);
      set(converter.v, Golden.bytes(row, "v"), width / 2, stride, 0);
      byte[] rgb = new byte[3 * size * size];
      converter.convert(width, height, Golden.number(row, "degrees"), rgb);
      assertArrayEquals(Golden.bytes(row, "rgb"), rgb, row.get("width") + "x" + row.get("height"));
    }
  }

  @Test
  void picturesBecomeTheSamePixels() throws IOException {
    for (Map<String, Object> row : Golden.rows("pictures")) {
      byte[] pixels = Golden.bytes(row, "pixels");
      int[] argb = new int[pixels.length / 3];
      for (int i = 0; i < argb.length; i++) {
        argb[i] =
            0x7f000000
                | (pixels[3 * i] & 255) << 16
                | (pixels[3 * i + 1] & 255) << 8
                | (pixels[3 * i + 2] & 255);
      }
      int size = Golden.number(row, "size");
      byte[] rgb =
          PictureConverter.convert(
              argb, Golden.number(row, "width"), Golden.number(row, "height"), size);
      assertArrayEquals(Golden.bytes(row, "rgb"), rgb);
    }
  }

  @Test
  void statisticsAreEdgeBenchs() throws IOException {
    for (Map<String, Object> row : Golden.rows("statistics")) {
      double[] samples = Golden.doubles(row, "samples");
      assertEquals((Double) row.get("median"), Statistics.median(samples));
      assertEquals((Double) row.get("mad"), Statistics.mad(samples));
      assertEquals((Double) row.get("p90"), Statistics.percentile(samples, 90));
      assertEquals((Double) row.get("minimum"), Statistics.percentile(samples, 0));
      LatencyWindow window = new LatencyWindow(samples.length);
      window.add(1e9);  // pushed out by the others
      for (double sample : samples) {
        window.add(sample);
      }
      assertEquals((Double) row.get("median"), window.median());
      assertEquals((Double) row.get("p90"), window.p90());
      assertArrayEquals(samples, window.toArray());
    }
  }

  @Test
  void topClassesAreNumPys() throws IOException {
    for (Map<String, Object> row : Golden.rows("top")) {
      double[] values = Golden.doubles(row, "logits");
      float[] logits = new float[values.length];
      for (int i = 0; i < logits.length; i++) {
        logits[i] = (float) values[i];
      }
      double[] classes = Golden.doubles(row, "classes");
      double[] confidences = Golden.doubles(row, "confidences");
      TopK top = new TopK(classes.length);
      top.update(logits);
      for (int rank = 0; rank < classes.length; rank++) {
        assertEquals((int) classes[rank], top.classAt(rank));
        assertEquals(confidences[rank], top.confidenceAt(rank), 6e-8);  // one step of float32 at 1
      }
    }
  }

  @Test
  void framesTurnWithTheDisplay() {
    assertEquals(90, FrameConverter.turn(90, 0, false));
    assertEquals(0, FrameConverter.turn(90, 90, false));
    assertEquals(180, FrameConverter.turn(90, 270, false));
    assertEquals(270, FrameConverter.turn(270, 0, true));
    assertEquals(0, FrameConverter.turn(270, 90, true));
  }

  @Test
  void largePicturesAreDecodedSmaller() {
    assertEquals(1, PictureConverter.sampleSize(2048, 1024));
    assertEquals(2, PictureConverter.sampleSize(2049, 1024));
    assertEquals(4, PictureConverter.sampleSize(200_000, 100));  // thin, and large all the same
    assertEquals(64, PictureConverter.sampleSize(65_535, 65_535));
    assertEquals(1, PictureConverter.sampleSize(-1, -1));  // what decoders say of other files
  }

  /** Planes of a camera: rows with padding behind them, pixels with others between them. */
  private static void set(
      FrameConverter.Plane plane, byte[] pixels, int width, int stride, int padding) {
    int height = pixels.length / width;
    int rowStride = width * stride + padding;
    ByteBuffer data = ByteBuffer.allocateDirect((height - 1) * rowStride + (width - 1) * stride + 1);
    for (int i = 0; i < data.capacity(); i++) {
      data.put(i, (byte) 77);
    }
    for (int row = 0; row < height; row++) {
      for (int column = 0; column < width; column++) {
        data.put(row * rowStride + column * stride, pixels[row * width + column]);
      }
    }
    plane.set(data, rowStride, stride);
  }
}
