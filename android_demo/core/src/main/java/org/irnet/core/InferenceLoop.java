package org.irnet.core;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * The one thread that owns sessions: it opens, runs and closes them, so no session is ever used
 * by two threads, closed under a running frame, or left open. Frames replace each other until the
 * thread is free; a new selection replaces an older one that has not begun.
 *
 * <p>In the steady state (frames of one selection) nothing is allocated.
 */
public final class InferenceLoop implements AutoCloseable {
  /** Called on the loop's thread; must not call {@link #close}. */
  public interface Listener {
    void onReady(Selection selection, String engine, long openNanos);

    /**
     * @param logits the loop's own array, valid during the call
     */
    void onResult(Selection selection, float[] logits, long nanos);

    /** The selection cannot run; the loop waits for another one. */
    void onFailed(Selection selection, Throwable cause);

    void onCompareProgress(int done, int rounds);

    void onCompared(Comparison comparison);

    void onCompareFailed(Throwable cause);
  }

  /** Reads the verified content of a model's file. */
  public interface Contents {
    byte[] read(ModelManifest.Model model) throws java.io.IOException;
  }

  /** What to run; compared by identity. */
  public static final class Selection {
    public final ModelManifest.Model model;
    public final int threads;

    public Selection(ModelManifest.Model model, int threads) {
      this.model = model;
      this.threads = threads;
    }
  }

  private record CompareRequest(List<Selection> builds, int rounds, int warmup, long seed) {}

  private final InferenceSession.Factory factory;
  private final Contents contents;
  private final Listener listener;
  private final Thread thread;

  // Guarded by this.
  private Selection wanted;
  private CompareRequest compareWanted;
  private byte[] waiting = new byte[0];
  private boolean frameWaits;
  private boolean closing;

  // Of the thread alone.
  private byte[] frame = new byte[0];
  private float[] logits = new float[0];
  private Selection current;
  private InferenceSession session;

  public InferenceLoop(InferenceSession.Factory factory, Contents contents, Listener listener) {
    this.factory = factory;
    this.contents = contents;
    this.listener = listener;
    thread = new Thread(this::work, "inference");
    thread.start();
  }

  /** Runs this from now on; what is running ends first. */
  public synchronized void select(Selection selection) {
    wanted = selection;
    compareWanted = null;
    frameWaits = false;
    notifyAll();
  }

  /**
   * Hands in the newest frame; one that still waits is dropped.
   *
   * @param rgb copied; its length belongs to the input size of the selected model
   */
  public synchronized void offer(byte[] rgb) {
    if (waiting.length != rgb.length) {
      waiting = new byte[rgb.length];
    }
    System.arraycopy(rgb, 0, waiting, 0, rgb.length);
    frameWaits = true;
    notifyAll();
  }

  /**
   * Times builds of one network on the same frames in turns, then goes on with the selection.
   *
   * @param builds the first one is the reference of the ratios
   * @param rounds timed runs of every build, at least 30
   * @param warmup runs of every build before
   * @param seed of the order and the intervals
   */
  public synchronized void compare(List<Selection> builds, int rounds, int warmup, long seed) {
    compareWanted = new CompareRequest(List.copyOf(builds), rounds, warmup, seed);
    notifyAll();
  }

  /** Ends the thread and closes its session; returns when both is done. */
  @Override
  public void close() {
    synchronized (this) {
      closing = true;
      notifyAll();
    }
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void work() {
    try {
      while (true) {
        Selection open = null;
        CompareRequest compare = null;
        synchronized (this) {
          while (!closing && wanted == current && compareWanted == null && !frameWaits) {
            wait();
          }
          if (closing) {
            return;
          }
          if (wanted != current) {
            open = wanted;
          } else if (compareWanted != null) {
            compare = compareWanted;
            compareWanted = null;
          } else {
            takeFrame();
          }
        }
        if (open != null) {
          open(open);
        } else if (compare != null) {
          compare(compare);
        } else {
          run();
        }
      }
    } catch (InterruptedException e) {
      throw new AssertionError("nobody interrupts this thread", e);
    } finally {
      closeSession();
    }
  }

  /** Swaps the two buffers. Under the lock. */
  private void takeFrame() {
    byte[] newest = waiting;
    waiting = frame;
    frame = newest;
    frameWaits = false;
  }

  private void open(Selection selection) {
    closeSession();
    current = selection;
    long begun = System.nanoTime();
    try {
      session =
          factory.open(selection.model, contents.read(selection.model), selection.threads);
      logits = new float[selection.model.dataset().labels().size()];
      listener.onReady(selection, session.engine(), System.nanoTime() - begun);
    } catch (Exception | LinkageError e) {
      closeSession();
      listener.onFailed(selection, e);
    }
  }

  private void run() {
    if (session == null || frame.length != inputBytes(current)) {
      return;  // nothing selected, or a frame for another model
    }
    try {
      long nanos = session.run(frame, logits);
      listener.onResult(current, logits, nanos);
    } catch (RuntimeException e) {
      closeSession();
      listener.onFailed(current, e);
    }
  }

  private void compare(CompareRequest request) {
    List<InferenceSession> sessions = new ArrayList<>();
    try {
      List<String> engines = new ArrayList<>();
      for (Selection build : request.builds()) {
        InferenceSession opened =
            factory.open(build.model, contents.read(build.model), build.threads);
        sessions.add(opened);
        engines.add(opened.engine());
      }
      double[][] samples = measure(request, sessions);
      if (samples != null) {
        listener.onCompared(
            new Comparison(
                request.builds(), engines, samples, request.warmup(), request.seed()));
      }
    } catch (Exception | LinkageError e) {
      listener.onCompareFailed(e);
    } finally {
      for (InferenceSession opened : sessions) {
        opened.close();
      }
    }
  }

  /** Milliseconds of every build and round; null when a selection or the end came in between. */
  private double[][] measure(CompareRequest request, List<InferenceSession> sessions) {
    int builds = sessions.size();
    double[][] samples = new double[builds][request.rounds()];
    float[] output = new float[request.builds().get(0).model.dataset().labels().size()];
    int[] order = new int[builds];
    Random random = new Random(request.seed());
    for (int round = -request.warmup(); round < request.rounds(); round++) {
      synchronized (this) {
        if (closing || wanted != current) {
          return null;
        }
        if (frameWaits) {
          takeFrame();
        }
      }
      int bytes = inputBytes(request.builds().get(0));
      if (frame.length != bytes) {
        frame = new byte[bytes];  // no frame yet: black
      }
      for (int i = 0; i < builds; i++) {
        int other = random.nextInt(i + 1);
        order[i] = order[other];
        order[other] = i;
      }
      for (int build : order) {
        long nanos = sessions.get(build).run(frame, output);
        if (round >= 0) {
          samples[build][round] = nanos / 1e6;
        }
      }
      listener.onCompareProgress(Math.max(0, round + 1), request.rounds());
    }
    return samples;
  }

  private static int inputBytes(Selection selection) {
    return 3 * selection.model.size() * selection.model.size();
  }

  private void closeSession() {
    if (session != null) {
      session.close();
      session = null;
    }
  }
}
