package org.irnet.core;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;

/** A session without a model: class 0 wins by the mean of the image. Fails tests that misuse it. */
final class FakeSession implements InferenceSession {
  /** Opens them and counts. */
  static final class Factory implements InferenceSession.Factory {
    final AtomicInteger opened = new AtomicInteger();
    final AtomicInteger closed = new AtomicInteger();
    volatile RuntimeException refusal;
    volatile RuntimeException failure;
    volatile String misuse;

    @Override
    public InferenceSession open(ModelManifest.Model model, byte[] content, int threads) {
      RuntimeException refused = refusal;
      if (refused != null) {
        throw refused;
      }
      opened.incrementAndGet();
      return new FakeSession(this, model.name() + " on " + threads);
    }
  }

  private final Factory factory;
  private final String engine;
  private final Thread owner = Thread.currentThread();
  private boolean closed;

  private FakeSession(Factory factory, String engine) {
    this.factory = factory;
    this.engine = engine;
  }

  @Override
  public long run(byte[] rgb, float[] logits) {
    check();
    RuntimeException failed = factory.failure;
    if (failed != null) {
      throw failed;
    }
    Arrays.fill(logits, 0);
    for (byte value : rgb) {
      logits[0] += value & 255;
    }
    return 1_000_000;
  }

  @Override
  public String engine() {
    return engine;
  }

  @Override
  public void close() {
    check();
    closed = true;
    factory.closed.incrementAndGet();
  }

  private void check() {
    if (closed) {
      factory.misuse = "used after close";
    }
    if (Thread.currentThread() != owner) {
      factory.misuse = "used by another thread";
    }
  }
}
