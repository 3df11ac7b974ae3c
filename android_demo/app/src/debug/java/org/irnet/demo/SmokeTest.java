package org.irnet.demo;

import android.app.Activity;
import android.app.Instrumentation;
import android.os.Bundle;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.irnet.core.Comparison;
import org.irnet.core.InferenceLoop;
import org.irnet.core.ModelManifest;
import org.irnet.demo.session.TfliteSession;

/**
 * Opens and compares every build on a device and leaves the result where {@code adb pull} finds
 * it: {@code adb shell am instrument -w org.irnet.demo/.SmokeTest}.
 */
public final class SmokeTest extends Instrumentation {
  private static final int ROUNDS = 60;
  private static final int WARMUP = 10;
  private static final long LIMIT_SECONDS = 120;

  @Override
  public void onCreate(Bundle arguments) {
    super.onCreate(arguments);
    start();
  }

  @Override
  public void onStart() {
    Bundle results = new Bundle();
    int code = Activity.RESULT_CANCELED;
    try {
      results.putString("result", run());
      code = Activity.RESULT_OK;
    } catch (Exception | LinkageError e) {
      results.putString("error", e.toString());
    }
    finish(code, results);
  }

  private String run() throws Exception {
    Models models = new Models(getTargetContext().getAssets()::open);
    ModelManifest manifest = models.manifest();
    List<InferenceLoop.Selection> builds = new ArrayList<>();
    for (ModelManifest.Model model : manifest.buildsOf(manifest.models().get(0))) {
      builds.add(new InferenceLoop.Selection(model, 1));
    }
    BlockingQueue<Object> outcome = new ArrayBlockingQueue<>(1);
    try (InferenceLoop loop =
        new InferenceLoop(TfliteSession::open, models, new Waiting(outcome))) {
      loop.compare(builds, ROUNDS, WARMUP, 0);
      Object found = outcome.poll(LIMIT_SECONDS, TimeUnit.SECONDS);
      if (!(found instanceof Comparison comparison)) {
        throw new IllegalStateException("no comparison: " + found);
      }
      String json = comparison.toJson(DeviceInfo.read());
      return ResultFile.write(getTargetContext(), json).getPath();
    }
  }

  /** Hands over the comparison, or why there is none. */
  private static final class Waiting implements InferenceLoop.Listener {
    private final BlockingQueue<Object> outcome;

    Waiting(BlockingQueue<Object> outcome) {
      this.outcome = outcome;
    }

    @Override
    public void onReady(InferenceLoop.Selection selection, String engine, long openNanos) {}

    @Override
    public void onResult(InferenceLoop.Selection selection, float[] logits, long nanos) {}

    @Override
    public void onFailed(InferenceLoop.Selection selection, Throwable cause) {}

    @Override
    public void onCompareProgress(int done, int rounds) {}

    @Override
    public void onCompared(Comparison comparison) {
      outcome.offer(comparison);
    }

    @Override
    public void onCompareFailed(Throwable cause) {
      outcome.offer(cause);
    }
  }
}
