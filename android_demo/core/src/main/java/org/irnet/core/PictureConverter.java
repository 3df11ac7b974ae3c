package org.irnet.core;

/** A picture of any size to the RGB square that the network sees: its middle, box-averaged. */
public final class PictureConverter {
  private static final long MAX_PIXELS = 1 << 21;

  private PictureConverter() {}

  /**
   * How many times smaller a picture is to be decoded, so that it takes at most 8 MB.
   *
   * @return a power of two
   */
  public static int sampleSize(int width, int height) {
    int sample = 1;
    while ((long) (width / sample) * (height / sample) > MAX_PIXELS) {
      sample *= 2;
    }
    return sample;
  }

  /**
   * @param argb height x width pixels, 8 bits each of alpha (ignored), red, green, blue
   * @param size height and width of the output in pixels
   * @return size x size x 3 bytes; the pixels themselves where the picture has this size
   */
  public static byte[] convert(int[] argb, int width, int height, int size) {
    int side = Math.min(width, height);
    int left = (width - side) / 2;
    int top = (height - side) / 2;
    byte[] rgb = new byte[3 * size * size];
    for (int i = 0; i < size; i++) {
      for (int j = 0; j < size; j++) {
        long red = 0;
        long green = 0;
        long blue = 0;
        int count = 0;
        for (int r = Boxes.start(i, side, size); r < Boxes.end(i, side, size); r++) {
          for (int c = Boxes.start(j, side, size); c < Boxes.end(j, side, size); c++) {
            int pixel = argb[(top + r) * width + left + c];
            red += pixel >> 16 & 255;
            green += pixel >> 8 & 255;
            blue += pixel & 255;
            count++;
          }
        }
        int at = 3 * (i * size + j);
        rgb[at] = (byte) ((red + count / 2) / count);
        rgb[at + 1] = (byte) ((green + count / 2) / count);
        rgb[at + 2] = (byte) ((blue + count / 2) / count);
      }
    }
    return rgb;
  }
}
