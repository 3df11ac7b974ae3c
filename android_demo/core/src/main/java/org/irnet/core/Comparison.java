package org.irnet.core;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * All builds of a network, timed on the same frames.
 *
 * @param builds the first one is the reference
 * @param engines what really ran, one per build
 * @param samplesMs every sample of every build, in the order taken
 * @param warmup runs per build before the first sample
 * @param seed of the order and the intervals
 */
public record Comparison(
    List<InferenceLoop.Selection> builds,
    List<String> engines,
    double[][] samplesMs,
    int warmup,
    long seed) {
  private static final String ORDER = "every round runs every build once, in a new random order";
  private static final String TIMED =
      "input scaled and copied in, model run, outputs copied out; batch 1; measured inside the app";
  private static final String MEMORY = "not measured";

  /**
   * The device and the app, for a result that others can read.
   *
   * @param host name of the device
   * @param system e.g. {@code Android 15 (API 35)}
   * @param machine instruction set, e.g. {@code aarch64}
   * @param governor of the first core, null if unknown
   * @param versions of app, delegate and runtime
   * @param date start, ISO 8601 in UTC
   */
  public record Device(
      String host,
      String system,
      String machine,
      String cpuModel,
      int cores,
      String governor,
      Map<String, String> versions,
      String date) {}

  /** Latency of a build divided by that of the reference; below 1 is faster. */
  public Statistics.Interval ratio(int build) {
    return Statistics.medianRatio(samplesMs[build], samplesMs[0], seed);
  }

  /** The result as {@code edge_bench} reads it, schema {@code irnet.bench/1}. */
  public String toJson(Device device) {
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("schema_id", "irnet.bench/1");
    result.put("context", context(device));
    List<Object> rows = new ArrayList<>();
    for (int i = 0; i < builds.size(); i++) {
      rows.add(row(i));
    }
    result.put("builds", rows);
    return Json.write(result);
  }

  private Map<String, Object> context(Device device) {
    Map<String, Object> context = new LinkedHashMap<>();
    context.put("host", device.host());
    context.put("system", device.system());
    context.put("machine", device.machine());
    context.put("cpu_model", device.cpuModel());
    context.put("cores", device.cores());
    context.put("governor", device.governor());
    context.put("before", unknownState());
    context.put("after", unknownState());
    context.put("versions", device.versions());
    context.put("git_revision", null);
    context.put("date", device.date());
    context.put("command", List.of("Compare"));
    context.put("seed", seed);
    context.put("rounds", samplesMs[0].length);
    context.put("order", ORDER);
    context.put("memory_method", MEMORY);
    context.put("timed", TIMED);
    return context;
  }

  private static Map<String, Object> unknownState() {
    Map<String, Object> state = new LinkedHashMap<>();
    state.put("load_average", null);
    state.put("frequency_mhz", List.of());
    state.put("temperature_c", null);
    return state;
  }

  private Map<String, Object> row(int i) {
    InferenceLoop.Selection build = builds.get(i);
    double[] samples = samplesMs[i];
    List<Double> values = new ArrayList<>();
    for (double sample : samples) {
      values.add(sample);
    }
    Map<String, Object> row = new LinkedHashMap<>();
    row.put("name", build.model.name());
    row.put("path", build.model.file());
    row.put("sha256", build.model.sha256());
    row.put("size_bytes", build.model.bytes());
    row.put("engine", engines.get(i));
    row.put("threads", build.threads);
    row.put("warmup_runs", warmup);
    row.put("samples_ms", values);
    row.put("median_ms", Statistics.median(samples));
    row.put("mad_ms", Statistics.mad(samples));
    row.put("p90_ms", Statistics.percentile(samples, 90));
    row.put("min_ms", Statistics.percentile(samples, 0));
    row.put("peak_memory_bytes", null);
    row.put("ratio", i == 0 ? null : ratioRow(i));
    return row;
  }

  private Map<String, Object> ratioRow(int i) {
    Statistics.Interval ratio = ratio(i);
    Map<String, Object> row = new LinkedHashMap<>();
    row.put("to", builds.get(0).model.name());
    row.put("value", ratio.value());
    row.put("low", ratio.low());
    row.put("high", ratio.high());
    return row;
  }
}
