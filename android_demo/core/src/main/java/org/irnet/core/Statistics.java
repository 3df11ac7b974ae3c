package org.irnet.core;

import java.util.Arrays;
import java.util.SplittableRandom;

/** The numbers of a benchmark, defined as in {@code edge_bench/statistics.py}. */
public final class Statistics {
  private static final int RESAMPLES = 2000;

  private Statistics() {}

  /**
   * @param low lower end of the 95 % bootstrap interval
   * @param high upper end
   */
  public record Interval(double value, double low, double high) {}

  public static double median(double[] samples) {
    return percentile(samples, 50);
  }

  /** Median absolute deviation from the median, not scaled. */
  public static double mad(double[] samples) {
    double median = median(samples);
    double[] deviations = new double[samples.length];
    for (int i = 0; i < deviations.length; i++) {
      deviations[i] = Math.abs(samples[i] - median);
    }
    return median(deviations);
  }

  /**
   * Linear between samples, as NumPy's default.
   *
   * @param percent 0 to 100
   * @return NaN without samples
   */
  public static double percentile(double[] samples, double percent) {
    return percentileOf(samples.clone(), samples.length, percent);
  }

  /** As {@link #percentile} of the first {@code count} values, which are sorted in place. */
  static double percentileOf(double[] values, int count, double percent) {
    if (count == 0) {
      return Double.NaN;
    }
    Arrays.sort(values, 0, count);
    double place = percent / 100 * (count - 1);
    int below = (int) place;
    double part = place - below;
    double low = values[below];
    double step = values[Math.min(below + 1, count - 1)] - low;
    // NumPy interpolates from the nearer end.
    return part < 0.5 ? low + step * part : low + step - step * (1 - part);
  }

  /** Ratio of the medians with its percentile bootstrap interval; both sides need samples. */
  public static Interval medianRatio(double[] numerator, double[] denominator, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] ratios = new double[RESAMPLES];
    double[] pick = new double[Math.max(numerator.length, denominator.length)];
    for (int i = 0; i < RESAMPLES; i++) {
      double top = resampledMedian(numerator, pick, random);
      ratios[i] = top / resampledMedian(denominator, pick, random);
    }
    return new Interval(
        median(numerator) / median(denominator), percentile(ratios, 2.5), percentile(ratios, 97.5));
  }

  private static double resampledMedian(double[] from, double[] pick, SplittableRandom random) {
    for (int i = 0; i < from.length; i++) {
      pick[i] = from[random.nextInt(from.length)];
    }
    return percentileOf(pick, from.length, 50);
  }
}
