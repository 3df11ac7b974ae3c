package org.irnet.demo;

import android.os.Build;
import java.io.BufferedReader;
import java.io.FileReader;
import java.io.IOException;
import java.text.SimpleDateFormat;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import org.irnet.core.Comparison;
import org.irnet.core.Json;
import org.irnet.lce.LceDelegate;
import org.tensorflow.lite.TensorFlowLite;

/** What a result says of this device. */
final class DeviceInfo {
  private static final String GOVERNOR =
      "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";

  private DeviceInfo() {}

  static Comparison.Device read() {
    Map<String, String> versions = new LinkedHashMap<>();
    versions.put("tflite", TensorFlowLite.runtimeVersion());
    Object version = ((Map<?, ?>) Json.parse(LceDelegate.info())).get("version");
    versions.put("lce_delegate", String.valueOf(version));
    return new Comparison.Device(
        Build.MANUFACTURER + " " + Build.MODEL,
        "Android " + Build.VERSION.RELEASE + " (API " + Build.VERSION.SDK_INT + ")",
        machine(),
        Build.HARDWARE,
        Runtime.getRuntime().availableProcessors(),
        firstLine(GOVERNOR),
        versions,
        now());
  }

  private static String machine() {
    String abi = Build.SUPPORTED_ABIS[0];
    return abi.equals("arm64-v8a") ? "aarch64" : abi;
  }

  private static String now() {
    SimpleDateFormat format = new SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss'Z'", Locale.ROOT);
    format.setTimeZone(TimeZone.getTimeZone("UTC"));
    return format.format(new Date());
  }

  /** Null where apps may not read it. */
  private static String firstLine(String path) {
    try (BufferedReader reader = new BufferedReader(new FileReader(path))) {
      return reader.readLine();
    } catch (IOException e) {
      return null;
    }
  }
}
