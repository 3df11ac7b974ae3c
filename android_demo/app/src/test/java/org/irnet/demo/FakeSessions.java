package org.irnet.demo;

import java.util.Arrays;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.irnet.core.InferenceSession;
import org.irnet.core.ModelManifest;

/** Sessions that say "frog" of everything, in 1, 2 or 3 ms, and count themselves. */
final class FakeSessions implements InferenceSession.Factory {
  private static final int FROG = 6;
  private static final int FREE = 1_000_000;

  final AtomicInteger opened = new AtomicInteger();
  final AtomicInteger closed = new AtomicInteger();
  private final Semaphore runs = new Semaphore(FREE);

  /** Lets no run begin until {@link #release}. */
  void hold() {
    runs.drainPermits();
  }

  void release() {
    runs.release(FREE);
  }

  boolean isHeld() {
    return runs.hasQueuedThreads();
  }

  /** Not for ever: a test that fails while it holds must end. */
  private void waitForPermit() {
    try {
      if (!runs.tryAcquire(5, TimeUnit.SECONDS)) {
        throw new IllegalStateException("held too long");
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public InferenceSession open(ModelManifest.Model model, byte[] content, int threads) {
    opened.incrementAndGet();
    String engine = model.build().title() + " on " + threads;
    long nanos = 1_000_000L * (1 + model.build().ordinal());
    return new InferenceSession() {
      @Override
      public long run(byte[] rgb, float[] logits) {
        waitForPermit();
        Arrays.fill(logits, 0);
        logits[FROG] = 5;
        return nanos;
      }

      @Override
      public String engine() {
        return engine;
      }

      @Override
      public void close() {
        closed.incrementAndGet();
      }
    };
  }
}
