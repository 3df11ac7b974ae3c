package org.irnet.core;

import java.util.Arrays;

/** Statistics over the last samples. Nothing is allocated after construction. */
public final class LatencyWindow {
  private final double[] samples;
  private final double[] sorted;
  private int count;
  private int next;

  /**
   * @param size how many samples are kept
   */
  public LatencyWindow(int size) {
    samples = new double[size];
    sorted = new double[size];
  }

  public void add(double milliseconds) {
    samples[next] = milliseconds;
    next = (next + 1) % samples.length;
    count = Math.min(count + 1, samples.length);
  }

  public void clear() {
    count = 0;
    next = 0;
  }

  /** Samples kept so far. */
  public int count() {
    return count;
  }

  /** NaN without samples; so the next one. */
  public double median() {
    return percentile(50);
  }

  public double p90() {
    return percentile(90);
  }

  private double percentile(double percent) {
    System.arraycopy(samples, 0, sorted, 0, count);
    return Statistics.percentileOf(sorted, count, percent);
  }

  /** Copy of what is kept, oldest first. */
  public double[] toArray() {
    double[] result = Arrays.copyOf(samples, count);
    if (count == samples.length) {
      System.arraycopy(samples, next, result, 0, count - next);
      System.arraycopy(samples, 0, result, count - next, next);
    }
    return result;
  }
}
