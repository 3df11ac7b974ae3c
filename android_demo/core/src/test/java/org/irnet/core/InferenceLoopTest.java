package org.irnet.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class InferenceLoopTest {
  private static final int SIZE = 4;

  /** Keeps what the loop says, as text. */
  private static class Recorder implements InferenceLoop.Listener {
    final BlockingQueue<String> events = new LinkedBlockingQueue<>();
    volatile Comparison comparison;

    @Override
    public void onReady(InferenceLoop.Selection selection, String engine, long openNanos) {
      events.add("ready " + engine);
    }

    @Override
    public void onResult(InferenceLoop.Selection selection, float[] logits, long nanos) {
      events.add("result " + logits[0]);
    }

    @Override
    public void onFailed(InferenceLoop.Selection selection, Throwable cause) {
      events.add("failed " + cause.getMessage());
    }

    @Override
    public void onCompareProgress(int done, int rounds) {}

    @Override
    public void onCompared(Comparison result) {
      comparison = result;
      events.add("compared");
    }

    @Override
    public void onCompareFailed(Throwable cause) {
      events.add("compare failed " + cause.getMessage());
    }

    String next() throws InterruptedException {
      return events.poll(20, TimeUnit.SECONDS);
    }
  }

  private final FakeSession.Factory factory = new FakeSession.Factory();
  private final Recorder recorder = new Recorder();
  private final InferenceLoop loop = new InferenceLoop(factory, model -> new byte[1], recorder);

  @AfterEach
  void everySessionWasClosedOnceByItsThread() {
    loop.close();
    assertEquals(factory.opened.get(), factory.closed.get());
    assertNull(factory.misuse);
  }

  static ModelManifest.Model model(Build build) {
    return new ModelManifest.Model(
        "net-" + build.title(),
        "net",
        build,
        GoldenTest.cifar10(),
        SIZE,
        new ModelManifest.Macs(2_000_000, 0, 54_321),
        "f",
        9,
        "0".repeat(64));
  }

  private static InferenceLoop.Selection selection(Build build) {
    return new InferenceLoop.Selection(model(build), 2);
  }

  private static byte[] frame(int value) {
    byte[] rgb = new byte[3 * SIZE * SIZE];
    rgb[0] = (byte) value;
    return rgb;
  }

  @Test
  void framesRunInTheSelectedModel() throws InterruptedException {
    loop.select(selection(Build.ONE_BIT));
    assertEquals("ready net-1-bit on 2", recorder.next());
    loop.offer(frame(200));
    assertEquals("result 200.0", recorder.next());
    loop.select(selection(Build.INT8));
    assertEquals("ready net-int8 on 2", recorder.next());
    assertEquals(1, factory.closed.get());
  }

  @Test
  void framesOfAnotherSizeAreDropped() throws InterruptedException {
    loop.select(selection(Build.ONE_BIT));
    recorder.next();
    loop.offer(new byte[3]);
    loop.offer(frame(7));
    assertEquals("result 7.0", recorder.next());
  }

  @Test
  void aModelThatCannotBeOpenedLeavesTheLoopAlive() throws InterruptedException {
    factory.refusal = new IllegalArgumentException("no such kernel");
    loop.select(selection(Build.ONE_BIT));
    assertEquals("failed no such kernel", recorder.next());
    loop.offer(frame(1));
    factory.refusal = null;
    loop.select(selection(Build.FLOAT32));
    assertEquals("ready net-float32 on 2", recorder.next());
  }

  @Test
  void aModelThatFailsWhileItRunsIsClosed() throws InterruptedException {
    loop.select(selection(Build.ONE_BIT));
    recorder.next();
    factory.failure = new IllegalStateException("broken");
    loop.offer(frame(1));
    assertEquals("failed broken", recorder.next());
    assertEquals(1, factory.closed.get());
  }

  @Test
  void switchingUnderFramesNeverMixesSessions() throws InterruptedException {
    Random random = new Random(5);
    for (int i = 0; i < 2000; i++) {
      if (random.nextInt(4) == 0) {
        loop.select(selection(Build.values()[random.nextInt(3)]));
      }
      loop.offer(frame(i & 255));
    }
    loop.close();
    assertTrue(factory.opened.get() > 0);
  }

  @Test
  void comparisonRunsEveryBuildOnEveryRound() throws InterruptedException {
    loop.select(selection(Build.ONE_BIT));
    recorder.next();
    loop.compare(
        List.of(selection(Build.FLOAT32), selection(Build.ONE_BIT), selection(Build.INT8)), 30, 3, 1);
    assertEquals("compared", recorder.next());
    for (double[] samples : recorder.comparison.samplesMs()) {
      assertEquals(30, samples.length);
      assertEquals(1.0, samples[29]);
    }
    assertEquals(1.0, recorder.comparison.ratio(1).value());
    assertEquals(4, factory.opened.get());
    assertEquals(3, factory.closed.get());
    loop.offer(frame(9));  // and goes on
    assertEquals("result 9.0", recorder.next());
  }

  @Test
  void aSelectionEndsAComparison() throws InterruptedException {
    loop.select(selection(Build.ONE_BIT));
    recorder.next();
    loop.compare(List.of(selection(Build.FLOAT32)), Integer.MAX_VALUE / 1000, 0, 1);
    Thread.sleep(20);
    loop.select(selection(Build.INT8));
    assertEquals("ready net-int8 on 2", recorder.next());
    assertNull(recorder.comparison);
  }

  @Test
  void aComparisonThatCannotOpenABuildSaysSo() throws InterruptedException {
    loop.select(selection(Build.ONE_BIT));
    recorder.next();
    factory.failure = new IllegalStateException("broken");
    loop.compare(List.of(selection(Build.FLOAT32)), 30, 0, 1);
    assertEquals("compare failed broken", recorder.next());
    factory.failure = null;
    loop.offer(frame(3));
    assertEquals("result 3.0", recorder.next());
  }

  /** The loop, the converter and the statistics; a session's own share is its own test. */
  @Test
  void steadyStateAllocatesNothing() throws InterruptedException {
    com.sun.management.ThreadMXBean threads =
        (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    AtomicInteger frames = new AtomicInteger();
    long[] allocated = new long[2];
    TopK top = new TopK(3);
    LatencyWindow window = new LatencyWindow(60);
    InferenceLoop.Listener listener =
        new Recorder() {
          @Override
          public void onResult(InferenceLoop.Selection s, float[] logits, long nanos) {
            top.update(logits);
            window.add(nanos / 1e6);
            window.median();
            int done = frames.incrementAndGet();
            if (done == 1000 || done == 3000) {
              allocated[done / 3000] = threads.getCurrentThreadAllocatedBytes();
            }
          }
        };
    try (InferenceLoop steady = new InferenceLoop(factory, model -> new byte[1], listener)) {
      steady.select(selection(Build.ONE_BIT));
      byte[] frame = frame(3);
      while (frames.get() < 3000) {
        int before = frames.get();
        steady.offer(frame);
        while (frames.get() == before) {
          Thread.onSpinWait();
        }
      }
    }
    // Reading the counter is a call into the JVM, which may allocate once; 2000 frames must not.
    assertTrue(allocated[1] - allocated[0] < 2000, () -> "bytes: " + (allocated[1] - allocated[0]));
  }
}
