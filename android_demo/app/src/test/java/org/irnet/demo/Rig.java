package org.irnet.demo;

import org.irnet.core.InferenceSession;

/** The activity with the models and sessions of a test; null: its own. */
public final class Rig extends MainActivity {
  static InferenceSession.Factory sessions;
  static Models.Assets assets;

  @Override
  InferenceSession.Factory sessions() {
    return sessions == null ? super.sessions() : sessions;
  }

  @Override
  Models models() {
    return assets == null ? super.models() : new Models(assets);
  }
}
