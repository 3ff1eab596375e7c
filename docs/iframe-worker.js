// The search works on a site that is opened from the disk, too: browsers start no worker there, so
// its script runs in a hidden frame. (The plugin "offline" would load such a script from elsewhere.)
"use strict";

if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.inside = frame.contentWindow;
      this.inside.postMessage = (data) => {
        this.dispatchEvent(new MessageEvent("message", { data }));
      };
      this.loaded = new Promise((resolve) => {
        const script = frame.contentDocument.createElement("script");
        script.src = url;
        script.addEventListener("load", resolve);
        frame.contentDocument.body.append(script);
      });
    }

    postMessage(data) {
      this.loaded.then(() => {
        this.inside.dispatchEvent(new MessageEvent("message", { data }));
      });
    }
  };
}
