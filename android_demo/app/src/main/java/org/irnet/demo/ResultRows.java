package org.irnet.demo;

import android.view.LayoutInflater;
import android.view.View;
import android.view.ViewGroup;
import android.widget.ProgressBar;
import android.widget.TextView;
import java.util.List;
import org.irnet.core.LiveNumbers;

/** The top classes: a name, a bar and a percentage each. TalkBack reads a row as one. */
final class ResultRows {
  private final View[] rows = new View[LiveNumbers.TOP];

  ResultRows(ViewGroup group) {
    LayoutInflater inflater = LayoutInflater.from(group.getContext());
    for (int rank = 0; rank < rows.length; rank++) {
      rows[rank] = inflater.inflate(R.layout.result_row, group, false);
      group.addView(rows[rank]);
    }
    clear();
  }

  /** Keeps the place, shows nothing. */
  void clear() {
    for (View row : rows) {
      row.setVisibility(View.INVISIBLE);
    }
  }

  void show(List<String> labels, LiveNumbers live) {
    for (int rank = 0; rank < rows.length; rank++) {
      View row = rows[rank];
      String label = labels.get(live.classAt(rank));
      float percent = 100 * live.confidenceAt(rank);
      String text = row.getContext().getString(R.string.percent, percent);
      MainView.setIfChanged(row.findViewById(R.id.label), label);
      MainView.setIfChanged(row.findViewById(R.id.percent), text);
      row.<ProgressBar>findViewById(R.id.bar).setProgress(Math.round(percent));
      String spoken = row.getContext().getString(R.string.result_description, label, percent);
      if (!spoken.contentEquals(String.valueOf(row.getContentDescription()))) {
        row.setContentDescription(spoken);
      }
      row.setVisibility(View.VISIBLE);
    }
  }
}
