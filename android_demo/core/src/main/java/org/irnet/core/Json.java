package org.irnet.core;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads and writes JSON as {@code Map}, {@code List}, {@code String}, {@code Double}, {@code
 * Boolean} and null.
 */
public final class Json {
  private static final int MAX_DEPTH = 32;

  private final String text;
  private int at;

  private Json(String text) {
    this.text = text;
  }

  /**
   * @throws FormatException not JSON; the message says where
   */
  public static Object parse(String text) {
    Json reader = new Json(text);
    Object value = reader.value(0);
    reader.skipSpace();
    if (reader.at != text.length()) {
      throw reader.error("nothing after the value");
    }
    return value;
  }

  /**
   * @param value of the types that {@link #parse} returns; any {@code Number} will do
   * @return the text in one line
   */
  public static String write(Object value) {
    StringBuilder out = new StringBuilder();
    write(value, out);
    return out.toString();
  }

  private Object value(int depth) {
    if (depth > MAX_DEPTH) {
      throw error("at most " + MAX_DEPTH + " levels");
    }
    skipSpace();
    if (at == text.length()) {
      throw error("a value");
    }
    char first = text.charAt(at);
    if (first == '{') {
      return object(depth);
    }
    if (first == '[') {
      return list(depth);
    }
    if (first == '"') {
      return string();
    }
    if (take("true")) {
      return Boolean.TRUE;
    }
    if (take("false")) {
      return Boolean.FALSE;
    }
    if (take("null")) {
      return null;
    }
    return number();
  }

  private Map<String, Object> object(int depth) {
    Map<String, Object> result = new LinkedHashMap<>();
    at++;
    skipSpace();
    if (take("}")) {
      return result;
    }
    do {
      skipSpace();
      String key = string();
      skipSpace();
      expect(":");
      if (result.containsKey(key)) {
        throw error("each key once, not another \"" + key + "\"");
      }
      result.put(key, value(depth + 1));
      skipSpace();
    } while (take(","));
    expect("}");
    return result;
  }

  private List<Object> list(int depth) {
    List<Object> result = new ArrayList<>();
    at++;
    skipSpace();
    if (take("]")) {
      return result;
    }
    do {
      result.add(value(depth + 1));
      skipSpace();
    } while (take(","));
    expect("]");
    return result;
  }

  private String string() {
    expect("\"");
    StringBuilder out = new StringBuilder();
    while (at < text.length() && text.charAt(at) != '"') {
      char c = text.charAt(at++);
      out.append(c == '\\' ? escape() : c);
    }
    expect("\"");
    return out.toString();
  }

  private char escape() {
    if (at == text.length()) {
      throw error("a character after \\");
    }
    char c = text.charAt(at++);
    int plain = "\"\\/bfnrt".indexOf(c);
    if (plain >= 0) {
      return "\"\\/\b\f\n\r\t".charAt(plain);
    }
    if (c != 'u' || at + 4 > text.length()) {
      throw error("a known escape");
    }
    try {
      char result = (char) Integer.parseInt(text.substring(at, at + 4), 16);
      at += 4;
      return result;
    } catch (NumberFormatException e) {
      throw error("four hexadecimal digits");
    }
  }

  private Double number() {
    int start = at;
    while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
    try {
      return Double.valueOf(text.substring(start, at));
    } catch (NumberFormatException e) {
      at = start;
      throw error("a value");
    }
  }

  private void skipSpace() {
    while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private boolean take(String token) {
    boolean found = text.startsWith(token, at);
    at += found ? token.length() : 0;
    return found;
  }

  private void expect(String token) {
    if (!take(token)) {
      throw error(token);
    }
  }

  private FormatException error(String wanted) {
    return new FormatException("JSON, character " + at + ": expected " + wanted);
  }

  private static void write(Object value, StringBuilder out) {
    if (value instanceof Map<?, ?> map) {
      String separator = "{";
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        out.append(separator);
        quote(entry.getKey().toString(), out);
        out.append(":");
        write(entry.getValue(), out);
        separator = ",";
      }
      out.append(map.isEmpty() ? "{}" : "}");
    } else if (value instanceof Iterable<?> items) {
      out.append('[');
      String separator = "";
      for (Object item : items) {
        out.append(separator);
        write(item, out);
        separator = ",";
      }
      out.append(']');
    } else if (value instanceof CharSequence string) {
      quote(string.toString(), out);
    } else if (value == null || value instanceof Number || value instanceof Boolean) {
      out.append(value);
    } else {
      throw new IllegalArgumentException("no JSON for " + value.getClass());
    }
  }

  private static void quote(String string, StringBuilder out) {
    out.append('"');
    for (int i = 0; i < string.length(); i++) {
      char c = string.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < ' ') {
        out.append("\\u00").append(Character.forDigit(c >> 4, 16));
        out.append(Character.forDigit(c & 15, 16));
      } else {
        out.append(c);
      }
    }
    out.append('"');
  }
}
