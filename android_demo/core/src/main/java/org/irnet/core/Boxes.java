package org.irnet.core;

/** Cuts a length into equal boxes: how images are made smaller here. */
final class Boxes {
  private Boxes() {}

  /** First source index of box {@code i} of {@code count} boxes. */
  static int start(int i, int length, int count) {
    return (int) ((long) i * length / count);
  }

  /** One past the last source index; a box has at least one. */
  static int end(int i, int length, int count) {
    return Math.max(start(i, length, count) + 1, start(i + 1, length, count));
  }

  /** {@code sum / count} to the nearest integer, halves upwards; {@code sum} not negative. */
  static int mean(int sum, int count) {
    return (sum + count / 2) / count;
  }

  /**
   * Where a box of the sensor's square goes in the upright image.
   *
   * @param degrees clockwise turn that makes the image upright: 0, 90, 180 or 270
   * @return row * size + column
   */
  static int upright(int row, int column, int size, int degrees) {
    switch (degrees) {
      case 0:
        return row * size + column;
      case 90:
        return column * size + size - 1 - row;
      case 180:
        return (size - 1 - row) * size + size - 1 - column;
      case 270:
        return (size - 1 - column) * size + row;
      default:
        throw new IllegalArgumentException("degrees must be 0, 90, 180 or 270, got " + degrees);
    }
  }
}
