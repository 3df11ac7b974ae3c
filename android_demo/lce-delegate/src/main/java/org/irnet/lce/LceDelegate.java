package org.irnet.lce;

import org.tensorflow.lite.Delegate;

/**
 * Runs the binary operators of Larq Compute Engine in TensorFlow Lite's interpreter.
 *
 * <pre>{@code
 * try (LceDelegate delegate = LceDelegate.create(new LceDelegate.Settings().threads(2));
 *     Interpreter interpreter =
 *         new Interpreter(model, new Interpreter.Options().setNumThreads(2).addDelegate(delegate))) {
 *   interpreter.run(input, output);
 * }
 * }</pre>
 *
 * <p>Close it after every interpreter that uses it. One thread at a time.
 */
public final class LceDelegate implements Delegate {
  /** How the delegate runs. */
  public static final class Settings {
    private int threads;
    private String kernel = "auto";

    /**
     * @param count 1 to 32, or 0 for as many as the interpreter has (the default)
     */
    public Settings threads(int count) {
      threads = count;
      return this;
    }

    /**
     * @param name {@code auto} (the default), or a kernel set that {@link #info()} lists as
     *     supported
     */
    public Settings kernel(String name) {
      kernel = name;
      return this;
    }
  }

  private long handle;

  private LceDelegate(long handle) {
    this.handle = handle;
  }

  /**
   * @throws IllegalArgumentException a setting that the library does not take; the message is its
   *     own
   * @throws UnsatisfiedLinkError no library for this device's instruction set
   */
  public static LceDelegate create(Settings settings) {
    Library.load();
    String[] options = {
      "num_threads", Integer.toString(settings.threads), "kernel", settings.kernel
    };
    return new LceDelegate(create(options));
  }

  /** The {@code TfLiteDelegate*} for the interpreter. */
  @Override
  public long getNativeHandle() {
    if (handle == 0) {
      throw new IllegalStateException("the delegate is closed");
    }
    return handle;
  }

  /** Frees the delegate; a second call does nothing. */
  @Override
  public void close() {
    if (handle != 0) {
      long closing = handle;
      handle = 0;
      destroy(closing);
    }
  }

  /**
   * What this library and this CPU can do, as JSON: {@code version}, {@code kernel_sets} and more,
   * see {@code docs/native/reference.md}.
   */
  public static String info() {
    Library.load();
    return nativeInfo();
  }

  /**
   * The operators of the interpreters that use this delegate, as a JSON list. {@code kernel} of a
   * row is the kernel that runs it. Not to be called while an interpreter is made or runs.
   */
  public String profile() {
    return nativeProfile(getNativeHandle());
  }

  private static native long create(String[] options);

  private static native void destroy(long handle);

  private static native String nativeInfo();

  private static native String nativeProfile(long handle);

  /** Loads the library once, when it is first needed rather than with the class. */
  private static final class Library {
    static {
      System.loadLibrary("lce_delegate_jni");
    }

    static void load() {}
  }
}
