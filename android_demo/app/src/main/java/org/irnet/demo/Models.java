package org.irnet.demo;

import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import org.irnet.core.FormatException;
import org.irnet.core.InferenceLoop;
import org.irnet.core.ModelManifest;
import org.irnet.core.ui.ScreenState.ModelFault;

/** The models in the app's assets. */
final class Models implements InferenceLoop.Contents {
  /** Opens one of them by its name. */
  interface Assets {
    InputStream open(String name) throws IOException;
  }

  private final Assets assets;

  Models(Assets assets) {
    this.assets = assets;
  }

  /**
   * @throws IOException no manifest
   * @throws FormatException a damaged one
   */
  ModelManifest manifest() throws IOException {
    return ModelManifest.parse(new String(bytes(ModelManifest.FILE), StandardCharsets.UTF_8));
  }

  @Override
  public byte[] read(ModelManifest.Model model) throws IOException {
    byte[] content = bytes(model.file());
    model.verify(content);
    return content;
  }

  /** What the screen says of an error. */
  static ModelFault fault(Throwable cause) {
    if (cause instanceof FileNotFoundException) {
      return ModelFault.MISSING;
    }
    if (cause instanceof FormatException || cause instanceof IOException) {
      return ModelFault.CORRUPT;
    }
    // TensorFlow Lite wraps its own missing library.
    boolean library = cause instanceof LinkageError || cause.getCause() instanceof LinkageError;
    return library ? ModelFault.UNSUPPORTED_ABI : ModelFault.REFUSED;
  }

  private byte[] bytes(String name) throws IOException {
    try (InputStream in = assets.open(name)) {
      ByteArrayOutputStream out = new ByteArrayOutputStream(in.available());
      byte[] buffer = new byte[1 << 16];
      for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
        out.write(buffer, 0, count);
      }
      return out.toByteArray();
    }
  }
}
