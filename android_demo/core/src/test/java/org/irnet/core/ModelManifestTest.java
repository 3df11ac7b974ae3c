package org.irnet.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;

class ModelManifestTest {
  /** Of the app; tests run in the folder of the module or of the project. */
  private static final Path ASSETS =
      Path.of(Files.exists(Path.of("app")) ? "" : "..", "app", "src", "main", "assets");

  private static String shipped() throws IOException {
    return Files.readString(ASSETS.resolve(ModelManifest.FILE));
  }

  @Test
  void theShippedFilesAreTheManifests() throws IOException {
    ModelManifest manifest = ModelManifest.parse(shipped());
    for (ModelManifest.Model model : manifest.models()) {
      model.verify(Files.readAllBytes(ASSETS.resolve(model.file())));
    }
    ModelManifest.Model first = manifest.models().get(0);
    assertEquals(
        List.of(Build.ONE_BIT, Build.FLOAT32, Build.INT8),
        manifest.buildsOf(first).stream().map(ModelManifest.Model::build).toList());
    assertEquals("airplane", first.dataset().labels().get(0));
    assertArrayEquals(GoldenTest.cifar10().scale(), first.dataset().scale());
    assertArrayEquals(GoldenTest.cifar10().shift(), first.dataset().shift());
  }

  @Test
  void aChangedByteOrLengthIsRefused() throws IOException {
    ModelManifest.Model model = ModelManifest.parse(shipped()).models().get(0);
    byte[] content = Files.readAllBytes(ASSETS.resolve(model.file()));
    content[1234] ^= 1;
    assertMessage("expected SHA-256 " + model.sha256(), () -> model.verify(content));
    assertMessage("expected 64624 bytes, found 3", () -> model.verify(new byte[3]));
  }

  @Test
  void errorsNameTheField() throws IOException {
    String good = shipped();
    assertMessage("manifest.schema", () -> parseChanged(good, "assets/1", "assets/2"));
    assertMessage("models[0].bytes", () -> parseChanged(good, "64624", "-1"));
    assertMessage("models[0].bytes", () -> parseChanged(good, "64624", "1.5"));
    assertMessage("models[0].macs.int8", () -> parseChanged(good, "\"int8\": 0", "\"int8\": -1"));
    assertMessage(
        "models[0].size", () -> parseChanged(good, "\"size\": 32", "\"size\": 2000000000"));
    assertMessage("models[0].build", () -> parseChanged(good, "\"1-bit\"", "\"2-bit\""));
    assertMessage("models[0].file", () -> parseChanged(good, "\"file\": \"", "\"file\": \"../"));
    assertMessage("models[0].sha256", () -> parseChanged(good, "\"sha256\": \"", "\"sha256\": \"g"));
    assertMessage(
        "models[0].dataset", () -> parseChanged(good, "\"dataset\": \"cifar10\"", "\"dataset\": 1"));
    assertMessage("datasets[0].preprocessing", () -> parseChanged(good, "\"scale\": [", "\"scale\": [0,"));
    assertMessage("datasets[0].labels", () -> parseChanged(good, "\"airplane\"", "7"));
    assertMessage(
        "models[1].name", () -> parseChanged(good, "float32-cifar10\",", "w1a1-cifar10\","));
    assertMessage("JSON, character 0", () -> ModelManifest.parse(""));
    assertMessage("manifest: expected an object", () -> ModelManifest.parse("[]"));
  }

  @Test
  void workIsToldInMillions() {
    assertEquals(
        "2.0 M 1-bit + 0.1 M float", InferenceLoopTest.model(Build.INT8).macs().text(Locale.ROOT));
    assertEquals("1,5 M int8", new ModelManifest.Macs(0, 1_500_000, 0).text(Locale.GERMANY));
  }

  @Test
  void jsonIsReadAndWritten() {
    String text = "{\"a\":[1.0,-2.5E-7,true,false,null],\"b\\\"\":\"\\u00e9\\n\",\"c\":{},\"d\":[]}";
    Object value = Json.parse(text);
    assertEquals(value, Json.parse(Json.write(value)));
    for (String bad : List.of("{", "[1,]", "\"\\q\"", "01x", "{\"a\":1,\"a\":2}", "1 2", "nul", "\"\\u12")) {
      assertThrows(FormatException.class, () -> Json.parse(bad), bad);
    }
    String deep = "[".repeat(100) + "]".repeat(100);
    assertMessage("levels", () -> Json.parse(deep));
    byte[] long255 = Json.write("\u0001\"\\").getBytes(StandardCharsets.US_ASCII);
    assertEquals("\"\\u0001\\\"\\\\\"", new String(long255, StandardCharsets.US_ASCII));
  }

  private static ModelManifest parseChanged(String text, String from, String to) {
    int at = text.indexOf(from);
    return ModelManifest.parse(text.substring(0, at) + to + text.substring(at + from.length()));
  }

  private static void assertMessage(String part, org.junit.jupiter.api.function.Executable code) {
    String message = assertThrows(FormatException.class, code).getMessage();
    assertEquals(true, message.contains(part), message);
  }
}
