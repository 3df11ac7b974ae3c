package org.irnet.core;

import java.nio.ByteBuffer;

/** Bytes to network input, bit for bit what training's evaluation path does. */
public final class Preprocessor {
  private final float[] scale;
  private final float[] shift;

  public Preprocessor(ModelManifest.Dataset dataset) {
    scale = dataset.scale().clone();
    shift = dataset.shift().clone();
  }

  /**
   * {@code input = rgb * scale - shift} in float32. Nothing is allocated.
   *
   * @param rgb height x width x 3 bytes, each 0 to 255
   * @param input float32, {@code 4 * rgb.length} bytes in native order; written from index 0
   */
  public void normalize(byte[] rgb, ByteBuffer input) {
    for (int i = 0; i < rgb.length; i += 3) {
      input.putFloat(4 * i, (rgb[i] & 255) * scale[0] - shift[0]);
      input.putFloat(4 * i + 4, (rgb[i + 1] & 255) * scale[1] - shift[1]);
      input.putFloat(4 * i + 8, (rgb[i + 2] & 255) * scale[2] - shift[2]);
    }
  }
}
