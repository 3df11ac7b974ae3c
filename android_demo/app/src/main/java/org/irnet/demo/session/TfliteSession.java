package org.irnet.demo.session;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.irnet.core.FormatException;
import org.irnet.core.InferenceSession;
import org.irnet.core.Json;
import org.irnet.core.ModelManifest;
import org.irnet.core.Preprocessor;
import org.irnet.lce.LceDelegate;
import org.tensorflow.lite.DataType;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.Tensor;
import org.tensorflow.lite.TensorFlowLite;

/** A model in TensorFlow Lite's interpreter, 1-bit files with {@link LceDelegate}. */
public final class TfliteSession implements InferenceSession {
  private final Preprocessor preprocessor;
  private final ByteBuffer input;
  private final ByteBuffer output;
  private final Object[] inputs;
  private final Map<Integer, Object> outputs;
  private LceDelegate delegate;
  private Interpreter interpreter;
  private String engine;

  private TfliteSession(ModelManifest.Model model) {
    preprocessor = new Preprocessor(model.dataset());
    input = floats(3 * model.size() * model.size());
    output = floats(model.dataset().labels().size());
    inputs = new Object[] {input};
    outputs = Collections.singletonMap(0, output);
  }

  /** As {@link InferenceSession.Factory#open}. */
  public static InferenceSession open(ModelManifest.Model model, byte[] content, int threads) {
    return open(model, content, threads, "auto", true);
  }

  /**
   * @param kernel kernel set of the delegate; only for builds that need it
   * @param xnnpack whether float operators run in XNNPACK or in TFLite's own kernels
   */
  static InferenceSession open(
      ModelManifest.Model model, byte[] content, int threads, String kernel, boolean xnnpack) {
    TfliteSession session = new TfliteSession(model);
    try {
      session.start(model, content, threads, kernel, xnnpack);
      return session;
    } catch (RuntimeException | LinkageError e) {
      session.close();
      throw e;
    }
  }

  private void start(
      ModelManifest.Model model, byte[] content, int threads, String kernel, boolean xnnpack) {
    Interpreter.Options options =
        new Interpreter.Options().setNumThreads(threads).setUseXNNPACK(xnnpack);
    if (model.build().needsDelegate()) {
      delegate = LceDelegate.create(new LceDelegate.Settings().threads(threads).kernel(kernel));
      options.addDelegate(delegate);
    }
    ByteBuffer file = ByteBuffer.allocateDirect(content.length).order(ByteOrder.nativeOrder());
    file.put(content);
    interpreter = new Interpreter(file, options);
    interpreter.allocateTensors();
    int size = model.size();
    check(interpreter.getInputTensor(0), new int[] {1, size, size, 3}, "input");
    check(
        interpreter.getOutputTensor(0),
        new int[] {1, model.dataset().labels().size()},
        "output");
    engine = "TFLite " + TensorFlowLite.runtimeVersion() + (delegate == null ? "" : kernels());
  }

  @Override
  public long run(byte[] rgb, float[] logits) {
    long begun = System.nanoTime();
    preprocessor.normalize(rgb, input);
    input.rewind();
    output.rewind();
    interpreter.runForMultipleInputsOutputs(inputs, outputs);
    for (int i = 0; i < logits.length; i++) {
      logits[i] = output.getFloat(4 * i);
    }
    return System.nanoTime() - begun;
  }

  @Override
  public String engine() {
    return engine;
  }

  @Override
  public void close() {
    if (interpreter != null) {
      interpreter.close();
      interpreter = null;
    }
    if (delegate != null) {
      delegate.close();
      delegate = null;
    }
  }

  /** The kernels that the delegate's operators of this model run in. */
  private String kernels() {
    TreeSet<String> names = new TreeSet<>();
    for (Object row : (List<?>) Json.parse(delegate.profile())) {
      names.add(((Map<?, ?>) row).get("kernel").toString());
    }
    return ", " + String.join(", ", names);
  }

  private static ByteBuffer floats(int count) {
    return ByteBuffer.allocateDirect(4 * count).order(ByteOrder.nativeOrder());
  }

  private static void check(Tensor tensor, int[] shape, String what) {
    if (tensor.dataType() != DataType.FLOAT32 || !Arrays.equals(tensor.shape(), shape)) {
      throw new FormatException(
          what + ": expected float32 " + Arrays.toString(shape) + ", the model has "
              + tensor.dataType() + " " + Arrays.toString(tensor.shape()));
    }
  }
}
