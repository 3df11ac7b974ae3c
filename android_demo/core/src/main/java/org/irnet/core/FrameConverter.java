package org.irnet.core;

import java.nio.ByteBuffer;

/**
 * A camera frame (YUV 4:2:0, full range, BT.601: what Android's cameras deliver) to the small
 * upright RGB square that the network sees: the middle of the frame, averaged in boxes.
 *
 * <p>Averages are taken of Y, U and V, so one conversion to RGB per output pixel is enough. After
 * construction nothing is allocated. Not for several threads at once.
 */
public final class FrameConverter {
  /** A view of one plane; set anew for every frame. */
  public static final class Plane {
    private ByteBuffer data;
    private int rowStride;
    private int pixelStride;

    /**
     * @param data from index 0; its position is changed
     * @param rowStride bytes from one row to the next
     * @param pixelStride bytes from one pixel to the next, 1 or 2
     */
    public void set(ByteBuffer data, int rowStride, int pixelStride) {
      this.data = data;
      this.rowStride = rowStride;
      this.pixelStride = pixelStride;
    }
  }

  public final Plane y = new Plane();
  public final Plane u = new Plane();
  public final Plane v = new Plane();

  private final int size;
  private final int[] ySums;
  private final int[] uSums;
  private final int[] vSums;
  private byte[] row = new byte[0];

  /**
   * @param size height and width of the output in pixels
   */
  public FrameConverter(int size) {
    this.size = size;
    ySums = new int[size * size];
    uSums = new int[size * size];
    vSums = new int[size * size];
  }

  /**
   * Converts the frame that {@link #y}, {@link #u} and {@link #v} show.
   *
   * @param width of the frame, even
   * @param height of the frame, even
   * @param degrees clockwise turn that makes the frame upright: 0, 90, 180 or 270
   * @param rgb size x size x 3 bytes, written
   */
  public void convert(int width, int height, int degrees, byte[] rgb) {
    int side = Math.min(width, height) & ~1;
    int left = (width - side) / 2 & ~1;
    int top = (height - side) / 2 & ~1;
    sum(y, left, top, side, ySums);
    sum(u, left / 2, top / 2, side / 2, uSums);
    sum(v, left / 2, top / 2, side / 2, vSums);
    for (int i = 0; i < size; i++) {
      for (int j = 0; j < size; j++) {
        int box = i * size + j;
        int luma = Boxes.mean(ySums[box], area(i, j, side));
        int chroma = area(i, j, side / 2);
        int blue = Boxes.mean(uSums[box], chroma) - 128;
        int red = Boxes.mean(vSums[box], chroma) - 128;
        int at = 3 * Boxes.upright(i, j, size, degrees);
        // JFIF's factors times 2^16.
        rgb[at] = clamp(luma + (91881 * red + 32768 >> 16));
        rgb[at + 1] = clamp(luma - (22554 * blue + 46802 * red + 32768 >> 16));
        rgb[at + 2] = clamp(luma + (116130 * blue + 32768 >> 16));
      }
    }
  }

  /**
   * Which turn makes frames upright.
   *
   * @param sensorDegrees clockwise turn for an upright device, as the camera states it
   * @param displayDegrees how far the display is turned, 0, 90, 180 or 270
   * @param front whether the camera looks at the user, so it turns the other way
   */
  public static int turn(int sensorDegrees, int displayDegrees, boolean front) {
    return (sensorDegrees + (front ? displayDegrees : 360 - displayDegrees)) % 360;
  }

  private int area(int i, int j, int side) {
    return (Boxes.end(i, side, size) - Boxes.start(i, side, size))
        * (Boxes.end(j, side, size) - Boxes.start(j, side, size));
  }

  private void sum(Plane plane, int left, int top, int side, int[] sums) {
    int stride = plane.pixelStride;
    int bytes = (side - 1) * stride + 1;
    if (row.length < bytes) {
      row = new byte[bytes];  // the first frame of a size
    }
    for (int i = 0; i < size; i++) {
      java.util.Arrays.fill(sums, i * size, (i + 1) * size, 0);
      for (int r = Boxes.start(i, side, size); r < Boxes.end(i, side, size); r++) {
        plane.data.position((top + r) * plane.rowStride + left * stride);
        plane.data.get(row, 0, bytes);
        for (int j = 0; j < size; j++) {
          int end = Boxes.end(j, side, size) * stride;
          int total = 0;
          for (int c = Boxes.start(j, side, size) * stride; c < end; c += stride) {
            total += row[c] & 255;
          }
          sums[i * size + j] += total;
        }
      }
    }
  }

  private static byte clamp(int value) {
    return (byte) Math.max(0, Math.min(255, value));
  }
}
