package org.irnet.demo;

import org.irnet.core.LatencyWindow;
import org.irnet.core.TopK;

/**
 * What the inference thread writes for every frame and the screen reads now and then. Writing
 * allocates nothing.
 */
final class LiveNumbers {
  static final int TOP = 3;
  private static final int WINDOW = 120;

  private final TopK top = new TopK(TOP);
  private final LatencyWindow latency = new LatencyWindow(WINDOW);
  private final LatencyWindow interval = new LatencyWindow(WINDOW);
  private long last;

  synchronized void clear() {
    latency.clear();
    interval.clear();
    last = 0;
  }

  synchronized void add(float[] logits, long nanos) {
    top.update(logits);
    latency.add(nanos / 1e6);
    long now = System.nanoTime();
    if (last != 0) {
      interval.add((now - last) / 1e6);
    }
    last = now;
  }

  /** False before the first frame. */
  synchronized boolean hasResult() {
    return latency.count() > 0;
  }

  synchronized int classAt(int rank) {
    return top.classAt(rank);
  }

  synchronized float confidenceAt(int rank) {
    return top.confidenceAt(rank);
  }

  synchronized double medianMs() {
    return latency.median();
  }

  synchronized double p90Ms() {
    return latency.p90();
  }

  /** From the median time between results; 0 with fewer than two. */
  synchronized double framesPerSecond() {
    return interval.count() == 0 ? 0 : 1e3 / interval.median();
  }
}
