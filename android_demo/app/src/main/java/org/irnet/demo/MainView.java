package org.irnet.demo;

import android.app.Activity;
import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.Matrix;
import android.graphics.Rect;
import android.view.TextureView;
import android.view.View;
import android.view.WindowInsets;
import android.widget.AdapterView;
import android.widget.ArrayAdapter;
import android.widget.Button;
import android.widget.ImageView;
import android.widget.Spinner;
import android.widget.TextView;
import android.widget.Toast;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.irnet.core.Comparison;
import org.irnet.core.LiveNumbers;
import org.irnet.core.ModelManifest;
import org.irnet.core.Statistics;
import org.irnet.core.ui.Screen;
import org.irnet.core.ui.ScreenState;

/** The widgets of the screen. Of the main thread. */
final class MainView {
  private static final int MAX_THREADS = 4;

  /** What the user can do. */
  interface Actions {
    void choose(int build, int threads);

    void compare();

    void pickOrClose();

    void share();

    /** The button of a state of trouble. */
    void remedy();
  }

  private final Activity activity;
  private final TextureView preview;
  private final ImageView picture;
  private final View trouble;
  private final TextView message;
  private final Button remedy;
  private final ResultRows results;
  private final TextView numbers;
  private final Spinner build;
  private final Spinner threads;
  private final Button compare;
  private final Button pick;
  private final TextView compared;
  private final Button share;

  MainView(Activity activity, Actions actions) {
    this.activity = activity;
    preview = activity.findViewById(R.id.preview);
    picture = activity.findViewById(R.id.picture);
    trouble = activity.findViewById(R.id.trouble);
    message = activity.findViewById(R.id.message);
    remedy = activity.findViewById(R.id.remedy);
    results = new ResultRows(activity.findViewById(R.id.results));
    numbers = activity.findViewById(R.id.numbers);
    build = activity.findViewById(R.id.build);
    threads = activity.findViewById(R.id.threads);
    compare = activity.findViewById(R.id.compare);
    pick = activity.findViewById(R.id.pick);
    compared = activity.findViewById(R.id.compared);
    share = activity.findViewById(R.id.share);
    remedy.setOnClickListener(v -> actions.remedy());
    compare.setOnClickListener(v -> actions.compare());
    pick.setOnClickListener(v -> actions.pickOrClose());
    share.setOnClickListener(v -> actions.share());
    AdapterView.OnItemSelectedListener chosen =
        new AdapterView.OnItemSelectedListener() {
          @Override
          public void onItemSelected(AdapterView<?> from, View item, int position, long id) {
            actions.choose(
                build.getSelectedItemPosition(), threads.getSelectedItemPosition() + 1);
          }

          @Override
          public void onNothingSelected(AdapterView<?> from) {}
        };
    build.setOnItemSelectedListener(chosen);
    threads.setOnItemSelectedListener(chosen);
    activity.findViewById(R.id.root).setOnApplyWindowInsetsListener(MainView::keepClear);
  }

  /** Bars and cut-outs, under which apps are drawn since Android 15. */
  @SuppressWarnings("deprecation")  // the other form needs API 30
  private static WindowInsets keepClear(View root, WindowInsets insets) {
    root.setPadding(
        insets.getSystemWindowInsetLeft(),
        insets.getSystemWindowInsetTop(),
        insets.getSystemWindowInsetRight(),
        insets.getSystemWindowInsetBottom());
    return insets;
  }

  TextureView preview() {
    return preview;
  }

  void setChoices(List<ModelManifest.Model> models, int chosenBuild, int chosenThreads) {
    List<String> titles = new ArrayList<>();
    for (ModelManifest.Model model : models) {
      titles.add(model.build().title());
    }
    fill(build, titles, chosenBuild);
    List<String> counts = new ArrayList<>();
    int most = Math.min(MAX_THREADS, Runtime.getRuntime().availableProcessors());
    for (int i = 1; i <= most; i++) {
      counts.add(Integer.toString(i));
    }
    fill(threads, counts, Math.min(chosenThreads, most) - 1);
  }

  private void fill(Spinner spinner, List<String> items, int chosen) {
    ArrayAdapter<String> adapter =
        new ArrayAdapter<>(activity, android.R.layout.simple_spinner_item, items);
    adapter.setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item);
    spinner.setAdapter(adapter);
    spinner.setSelection(chosen);
  }

  void show(Screen screen, Bitmap shown) {
    ScreenState state = screen.state();
    boolean comparing = state instanceof ScreenState.Comparing;
    int text = troubleText(state);
    trouble.setVisibility(text == 0 ? View.GONE : View.VISIBLE);
    if (text != 0) {
      String detail = state instanceof ScreenState.ModelProblem problem ? problem.detail() : "";
      message.setText(activity.getString(text, detail));
    }
    if (state instanceof ScreenState.ModelProblem) {
      results.clear();
      numbers.setText("");
    }
    int cure = remedyText(state);
    remedy.setVisibility(cure == 0 ? View.GONE : View.VISIBLE);
    if (cure != 0) {
      remedy.setText(cure);
    }
    picture.setVisibility(screen.picture() ? View.VISIBLE : View.GONE);
    picture.setImageBitmap(screen.picture() ? shown : null);
    pick.setText(screen.picture() ? R.string.close_picture : R.string.pick);
    pick.setEnabled(!comparing);
    compare.setEnabled(screen.canCompare());
    build.setEnabled(!comparing);
    threads.setEnabled(!comparing);
    if (state instanceof ScreenState.Comparing now) {
      numbers.setText(activity.getString(R.string.comparing, now.done(), now.rounds()));
    }
  }

  private static int troubleText(ScreenState state) {
    if (state instanceof ScreenState.AskingPermission) {
      return R.string.asking;
    }
    if (state instanceof ScreenState.Loading) {
      return R.string.loading;
    }
    if (state instanceof ScreenState.PermissionDenied) {
      return R.string.denied;
    }
    if (state instanceof ScreenState.CameraProblem problem) {
      return switch (problem.fault()) {
        case NONE -> R.string.camera_none;
        case IN_USE -> R.string.camera_in_use;
        case DISABLED -> R.string.camera_disabled;
        case FAILED -> R.string.camera_failed;
      };
    }
    if (state instanceof ScreenState.ModelProblem problem) {
      return switch (problem.fault()) {
        case MISSING -> R.string.model_missing;
        case CORRUPT -> R.string.model_corrupt;
        case UNSUPPORTED_ABI -> R.string.model_abi;
        case REFUSED -> R.string.model_refused;
      };
    }
    return 0;
  }

  private static int remedyText(ScreenState state) {
    if (state instanceof ScreenState.PermissionDenied denied) {
      return denied.forGood() ? R.string.open_settings : R.string.allow_camera;
    }
    return state instanceof ScreenState.CameraProblem ? R.string.try_again : 0;
  }

  /** Reads what the inference thread counted. */
  void showNumbers(ModelManifest.Model model, LiveNumbers live, String engine) {
    if (!live.hasResult()) {
      return;
    }
    results.show(model.dataset().labels(), live);
    StringBuilder text = new StringBuilder();
    text.append(activity.getString(R.string.latency, live.medianMs(), live.p90Ms()));
    if (live.framesPerSecond() > 0) {
      text.append(activity.getString(R.string.rate, live.framesPerSecond()));
    }
    String lines = engine.replace(", ", "\n");  // names of kernels are long
    text.append('\n').append(activity.getString(R.string.engine, model.bytes() / 1e3, lines));
    setIfChanged(numbers, text.toString());
  }

  /** Leaves TalkBack and the layout alone where nothing is new. */
  static void setIfChanged(TextView view, String text) {
    if (!text.contentEquals(view.getText())) {
      view.setText(text);
    }
  }

  void showComparison(String text) {
    compared.setText(text);
    compared.setVisibility(View.VISIBLE);
    share.setVisibility(View.VISIBLE);
    compared.addOnLayoutChangeListener(
        new View.OnLayoutChangeListener() {
          @Override
          public void onLayoutChange(
              View v, int l, int t, int r, int b, int ol, int ot, int or, int ob) {
            v.removeOnLayoutChangeListener(this);
            v.post(MainView.this::scrollToShare);
          }
        });
  }

  /** The end of the panel lies below the edge of most screens. */
  private void scrollToShare() {
    share.requestRectangleOnScreen(new Rect(0, 0, share.getWidth(), share.getHeight()), true);
  }

  void say(String text) {
    Toast.makeText(activity, text, Toast.LENGTH_LONG).show();
  }

  /** A line for each build, with its ratio to the first and the ratio's spread. */
  static String describe(Context context, Comparison comparison) {
    StringBuilder lines = new StringBuilder();
    String first = comparison.builds().get(0).model.build().title();
    for (int i = 0; i < comparison.builds().size(); i++) {
      ModelManifest.Model model = comparison.builds().get(i).model;
      double median = Statistics.median(comparison.samplesMs()[i]);
      String title = model.build().title();
      String work = model.macs().text(Locale.getDefault());
      lines.append(
          context.getString(R.string.compared_line, title, median, model.bytes() / 1e3, work));
      lines.append('\n');
      if (i > 0) {
        Statistics.Interval ratio = comparison.ratio(i);
        lines.append(
            context.getString(
                R.string.ratio_line, ratio.value(), first, ratio.low(), ratio.high()));
        lines.append('\n');
      }
    }
    return lines.toString().trim();
  }

  /** Turns the preview with the display: its buffer is upright on an upright device. */
  void turnPreview(int displayDegrees) {
    float width = preview.getWidth();
    float height = preview.getHeight();
    if (width == 0 || height == 0) {
      return;
    }
    boolean sideways = displayDegrees % 180 != 0;
    float bufferWidth = sideways ? CameraSource.WIDTH : CameraSource.HEIGHT;
    float bufferHeight = sideways ? CameraSource.HEIGHT : CameraSource.WIDTH;
    float fit = Math.min(width / bufferWidth, height / bufferHeight);
    Matrix matrix = new Matrix();
    // From the stretched buffer to its own shape, turned back by the display's turn.
    float uprightWidth = fit * (sideways ? bufferHeight : bufferWidth);
    float uprightHeight = fit * (sideways ? bufferWidth : bufferHeight);
    matrix.setScale(uprightWidth / width, uprightHeight / height, width / 2, height / 2);
    matrix.postRotate(-displayDegrees, width / 2, height / 2);
    preview.setTransform(matrix);
  }
}
