package org.irnet.core;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** The vectors that {@code tools/make_golden.py} made. */
final class Golden {
  private Golden() {}

  @SuppressWarnings("unchecked")
  static List<Map<String, Object>> rows(String name) throws IOException {
    try (InputStream in = Golden.class.getResourceAsStream("/golden.json")) {
      String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      Map<String, Object> all = (Map<String, Object>) Json.parse(text);
      return (List<Map<String, Object>>) all.get(name);
    }
  }

  static int number(Map<String, Object> row, String key) {
    return ((Double) row.get(key)).intValue();
  }

  static byte[] bytes(Map<String, Object> row, String key) {
    return java.util.HexFormat.of().parseHex((String) row.get(key));
  }

  static double[] doubles(Map<String, Object> row, String key) {
    return ((List<?>) row.get(key)).stream().mapToDouble(value -> (Double) value).toArray();
  }
}
