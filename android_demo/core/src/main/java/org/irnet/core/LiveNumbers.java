package org.irnet.core;

/**
 * What the inference thread writes for every frame and the screen reads now and then. Writing
 * allocates nothing.
 */
public final class LiveNumbers {
  public static final int TOP = 3;
  private static final int WINDOW = 120;

  private final TopK top = new TopK(TOP);
  private final LatencyWindow latency = new LatencyWindow(WINDOW);
  private final LatencyWindow interval = new LatencyWindow(WINDOW);
  private InferenceLoop.Selection owner;
  private long last;

  /** Starts anew for results of {@code selection}; late ones of another are not kept. */
  public synchronized void clear(InferenceLoop.Selection selection) {
    owner = selection;
    latency.clear();
    interval.clear();
    last = 0;
  }

  public synchronized void add(InferenceLoop.Selection of, float[] logits, long nanos) {
    if (of != owner) {
      return;
    }
    top.update(logits);
    latency.add(nanos / 1e6);
    long now = System.nanoTime();
    if (last != 0) {
      interval.add((now - last) / 1e6);
    }
    last = now;
  }

  /** False before the first frame. */
  public synchronized boolean hasResult() {
    return latency.count() > 0;
  }

  public synchronized int classAt(int rank) {
    return top.classAt(rank);
  }

  public synchronized float confidenceAt(int rank) {
    return top.confidenceAt(rank);
  }

  public synchronized double medianMs() {
    return latency.median();
  }

  public synchronized double p90Ms() {
    return latency.p90();
  }

  /** From the median time between results; 0 with fewer than two. */
  public synchronized double framesPerSecond() {
    return interval.count() == 0 ? 0 : 1e3 / interval.median();
  }
}
