// What moves: elements named by a stream of {id: html} take on their new inside. <body> or any element with
// data-live="/address" asks for one. Only what differs is touched, so that bars glide and nothing that is focused or
// selected goes away.
"use strict";

function become(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(old.nodeName === "DETAILS" && name === "open")) old.removeAttribute(name);
  }
  insideBecomes(old, fresh);
}

function insideBecomes(old, fresh) {
  const theirs = [...fresh.childNodes];
  const ours = [...old.childNodes];
  theirs.forEach((node, k) => (k < ours.length ? become(ours[k], node) : old.append(node)));
  ours.slice(theirs.length).forEach((node) => node.remove());
}

function parsed(html, like) {
  const template = document.createElement("template");
  template.innerHTML = html;
  if (like.namespaceURI === "http://www.w3.org/2000/svg") {
    template.innerHTML = `<svg>${html}</svg>`;
    return template.content.firstChild;
  }
  return template.content;
}

for (const place of document.querySelectorAll("[data-live]")) {
  const source = new EventSource(place.dataset.live);
  source.onmessage = (event) => {
    for (const [id, html] of Object.entries(JSON.parse(event.data))) {
      const element = document.getElementById(id);
      if (element) insideBecomes(element, parsed(html, element));
    }
  };
  addEventListener("pagehide", () => source.close());
}
