package org.irnet.core;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Typed access to a JSON object; every error names the field. */
final class Fields {
  private final String place;
  private final Map<?, ?> values;

  Fields(String place, Object value) {
    if (!(value instanceof Map<?, ?> map)) {
      throw new FormatException(place + ": expected an object");
    }
    this.place = place;
    this.values = map;
  }

  String text(String key) {
    if (values.get(key) instanceof String text && !text.isEmpty()) {
      return text;
    }
    throw error(key, "text");
  }

  /** An integer of at least 1. */
  int count(String key) {
    return atLeast(1, key);
  }

  /** An integer of at least 0. */
  int amount(String key) {
    return atLeast(0, key);
  }

  private int atLeast(int least, String key) {
    if (values.get(key) instanceof Double number
        && number >= least
        && number <= Integer.MAX_VALUE
        && number == Math.rint(number)) {
      return number.intValue();
    }
    throw error(key, "a whole number of at least " + least);
  }

  Fields object(String key) {
    return new Fields(place + "." + key, values.get(key));
  }

  List<Fields> objects(String key) {
    List<Fields> result = new ArrayList<>();
    for (Object item : list(key)) {
      result.add(new Fields(place + "." + key + "[" + result.size() + "]", item));
    }
    return result;
  }

  List<String> texts(String key) {
    List<String> result = new ArrayList<>();
    for (Object item : list(key)) {
      if (!(item instanceof String text)) {
        throw error(key, "a list of texts");
      }
      result.add(text);
    }
    return result;
  }

  float[] floats(String key) {
    List<?> items = list(key);
    float[] result = new float[items.size()];
    for (int i = 0; i < result.length; i++) {
      if (!(items.get(i) instanceof Double number) || !Float.isFinite(number.floatValue())) {
        throw error(key, "a list of numbers");
      }
      result[i] = number.floatValue();
    }
    return result;
  }

  FormatException error(String key, String expected) {
    return new FormatException(place + "." + key + ": expected " + expected);
  }

  private List<?> list(String key) {
    if (values.get(key) instanceof List<?> list && !list.isEmpty()) {
      return list;
    }
    throw error(key, "a list that is not empty");
  }
}
