package org.irnet.core;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * The models that came with the app, as {@code irnet android-assets} wrote them.
 *
 * @param models at least one; names are unique
 */
public record ModelManifest(List<Model> models) {
  public static final String FILE = "models.json";
  public static final String SCHEMA = "irnet.android-assets/1";
  /** Largest input in pixels of a side: more is a damaged number, and memory for it would fail. */
  private static final int MAX_SIZE = 1024;

  /**
   * A data set: what the outputs mean and what goes in.
   *
   * @param name e.g. {@code cifar10}
   * @param labels one per output
   * @param scale what a byte of each channel (RGB) is multiplied with, then
   * @param shift what is subtracted, both in float32
   */
  public record Dataset(String name, List<String> labels, float[] scale, float[] shift) {}

  /** Multiply-accumulates by kind: what energy goes into. */
  public record Macs(int oneBit, int int8, int floats) {
    /** Millions of each kind that there is, e.g. {@code 40.1 M 1-bit + 0.4 M float}. */
    public String text(Locale locale) {
      int[] counts = {oneBit, int8, floats};
      String[] kinds = {"1-bit", "int8", "float"};
      StringBuilder out = new StringBuilder();
      for (int i = 0; i < counts.length; i++) {
        if (counts[i] > 0) {
          String separator = out.length() == 0 ? "" : " + ";
          out.append(String.format(locale, "%s%.1f M %s", separator, counts[i] / 1e6, kinds[i]));
        }
      }
      return out.toString();
    }
  }

  /**
   * One file.
   *
   * @param name unique, e.g. {@code resnet20-w1a1-cifar10}
   * @param network without precision, e.g. {@code resnet20-cifar10}: builds of one network compare
   * @param size height and width of the input in pixels
   * @param macs multiply-accumulates for one image
   * @param sha256 of the file, 64 hexadecimal digits
   */
  public record Model(
      String name,
      String network,
      Build build,
      Dataset dataset,
      int size,
      Macs macs,
      String file,
      int bytes,
      String sha256) {

    /**
     * @throws FormatException these bytes are not the file that the manifest was made with
     */
    public void verify(byte[] content) {
      if (content.length != bytes) {
        throw new FormatException(
            file + ": expected " + bytes + " bytes, found " + content.length);
      }
      String found = sha256Of(content);
      if (!found.equals(sha256)) {
        throw new FormatException(file + ": expected SHA-256 " + sha256 + ", found " + found);
      }
    }
  }

  /**
   * @throws FormatException not a manifest of this version
   */
  public static ModelManifest parse(String json) {
    Fields root = new Fields("manifest", Json.parse(json));
    if (!root.text("schema").equals(SCHEMA)) {
      throw root.error("schema", SCHEMA);
    }
    Map<String, Dataset> datasets = new LinkedHashMap<>();
    for (Fields item : root.objects("datasets")) {
      Dataset dataset = dataset(item);
      datasets.put(dataset.name(), dataset);
    }
    List<Model> models = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (Fields item : root.objects("models")) {
      Model model = model(item, datasets);
      if (!names.add(model.name())) {
        throw item.error("name", "a name that no other model has");
      }
      models.add(model);
    }
    return new ModelManifest(List.copyOf(models));
  }

  /** The builds of the network of {@code model}, in the order of {@link Build}. */
  public List<Model> buildsOf(Model model) {
    List<Model> result = new ArrayList<>();
    for (Build build : Build.values()) {
      for (Model other : models) {
        if (other.build() == build && other.network().equals(model.network())) {
          result.add(other);
        }
      }
    }
    return result;
  }

  /** Hexadecimal SHA-256. */
  public static String sha256Of(byte[] content) {
    try {
      StringBuilder hex = new StringBuilder();
      for (byte b : MessageDigest.getInstance("SHA-256").digest(content)) {
        hex.append(Character.forDigit((b >> 4) & 15, 16)).append(Character.forDigit(b & 15, 16));
      }
      return hex.toString();
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has SHA-256", e);
    }
  }

  private static Dataset dataset(Fields item) {
    Fields preprocessing = item.object("preprocessing");
    float[] scale = preprocessing.floats("scale");
    float[] shift = preprocessing.floats("shift");
    if (scale.length != 3 || shift.length != 3) {
      throw item.error("preprocessing", "three scales and three shifts");
    }
    return new Dataset(item.text("name"), List.copyOf(item.texts("labels")), scale, shift);
  }

  private static Model model(Fields item, Map<String, Dataset> datasets) {
    Dataset dataset = datasets.get(item.text("dataset"));
    if (dataset == null) {
      throw item.error("dataset", "one of " + datasets.keySet());
    }
    Build build;
    try {
      build = Build.of(item.text("build"));
    } catch (IllegalArgumentException e) {
      throw item.error("build", "1-bit, float32 or int8");
    }
    String file = item.text("file");
    if (!file.matches("[A-Za-z0-9._-]+")) {
      throw item.error("file", "a plain file name");
    }
    int size = item.count("size");
    if (size > MAX_SIZE) {
      throw item.error("size", "at most " + MAX_SIZE);
    }
    Fields macs = item.object("macs");
    String sha256 = item.text("sha256");
    if (!sha256.matches("[0-9a-f]{64}")) {
      throw item.error("sha256", "64 hexadecimal digits");
    }
    return new Model(
        item.text("name"),
        item.text("network"),
        build,
        dataset,
        size,
        new Macs(macs.amount("1-bit"), macs.amount("int8"), macs.amount("float")),
        file,
        item.count("bytes"),
        sha256);
  }
}
