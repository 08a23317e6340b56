// Keeps a page live: the server says when to look again (Server-Sent Events), htmx fetches, Idiomorph draws what changed.
(() => {
  "use strict";
  // times that somebody types are of the clock on their wall
  for (const zone of document.querySelectorAll("input[data-zone]")) {
    zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || zone.value;
  }
  const live = document.querySelector("[data-live]");
  if (!live) return;
  const note = document.getElementById("not-live");
  let source = null;

  // what a reader has opened, or typed, stays as it is; what has become another thing, by its id, is as the server says
  Object.assign(Idiomorph.defaults.callbacks, {
    beforeNodeMorphed: (old, drawn) => {
      if (!(old instanceof Element)) return true;
      if (old.tagName === "DETAILS" && old.id !== drawn.id) old.open = drawn.open;
      return !old.hasAttribute("data-keep");
    },
    beforeAttributeUpdated: (name, node) => !(name === "open" && node.tagName === "DETAILS"),
  });

  function listen() {
    source = new EventSource(live.dataset.live);
    source.addEventListener("changed", () => htmx.trigger(live, "changed"));
    source.onopen = () => { note.hidden = true; };
    source.onerror = lost;
  }

  function stop() {
    if (source) source.close();
    source = null;
  }

  function lost() {
    note.hidden = false;
    if (source.readyState !== EventSource.CLOSED) return;
    stop();
    setTimeout(again, 3000);
  }

  // a session that ended meanwhile shows the way to sign in
  async function again() {
    if (source || document.hidden) return;
    const answer = await fetch(location.href).catch(() => null);
    if (answer && answer.status === 401) location.reload();
    else if (!source) listen();
  }

  // a browser has few connections to a server; a page that nobody sees needs none
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stop();
    else if (!source) listen();
  });
  window.addEventListener("pagehide", stop);
  if (!document.hidden) listen();
})();
