// While somebody writes: what sending would come to, as the server says it, a moment after the last key. And how much
// of a file is up. Without this the form does the same with its buttons.
"use strict";

const form = document.getElementById("send");
const WAIT_MS = 250;

if (form) {
  const place = document.getElementById("quote");
  let timer = 0;
  let asking = null;

  const ask = async () => {
    clearTimeout(timer);
    asking?.abort();
    asking = new AbortController();
    const data = new FormData(form);
    data.delete("file");
    try {
      const answer = await fetch(form.dataset.quote, { method: "POST", body: data, signal: asking.signal });
      if (answer.redirected) {
        location.reload();
        return;
      }
      const said = await answer.text();
      if (answer.ok) place.innerHTML = said;
      else {
        const why = new DOMParser().parseFromString(said, "text/html").querySelector("[role=alert]");
        if (why) place.replaceChildren(why);
      }
      const wait = Number(answer.headers.get("retry-after"));
      if (wait) timer = setTimeout(ask, 1000 * wait);
    } catch (error) {
      if (error.name !== "AbortError") place.classList.add("stale");
    }
  };

  form.addEventListener("input", (event) => {
    if (event.target.type === "file") return;
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT_MS);
  });
  for (const button of form.querySelectorAll(".without-script")) button.hidden = true;

  form.addEventListener("submit", (event) => {
    const file = form.querySelector("input[type=file]");
    const bar = document.getElementById("upload");
    if (!file?.files.length || event.submitter?.value !== "file") return;
    event.preventDefault();
    const data = new FormData(form, event.submitter);
    const request = new XMLHttpRequest();
    request.upload.onprogress = ({ loaded, total }) => {
      bar.hidden = false;
      bar.value = (100 * loaded) / total;
    };
    request.onload = () => {
      if (request.status < 400) {
        location.assign(request.responseURL);
        return;
      }
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      const why = page.querySelector("[role=alert]");
      document.querySelector("main [role=alert]")?.remove();
      if (why) document.querySelector("main").prepend(why);
      bar.hidden = true;
      event.submitter.disabled = false;
    };
    request.onerror = () => form.submit();
    request.open("POST", form.action);
    request.send(data);
    event.submitter.disabled = true;
  });
}
