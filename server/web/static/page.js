// What is better with a script, and works without: a progress bar, dropping a file, copying a fingerprint, and on a phone
// the part of a project that is open stands in the middle.
"use strict";

for (const open of document.querySelectorAll(".tabs [aria-current]")) open.scrollIntoView({ block: "nearest", inline: "center" });

for (const button of document.querySelectorAll("button.copy")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    const label = button.getAttribute("aria-label");
    button.textContent = "Copied";
    button.setAttribute("aria-label", "Copied");
    setTimeout(() => { button.textContent = "Copy"; button.setAttribute("aria-label", label); }, 2000);
  });
}

for (const form of document.querySelectorAll("form.upload")) {
  const drop = form.querySelector(".drop");
  const input = form.querySelector("input[type=file]");
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) {
    drop.addEventListener(name, () => drop.classList.remove("over"));
  }
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) input.files = event.dataTransfer.files;
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
}

function send(form) {
  const bar = form.querySelector("progress");
  const button = form.querySelector("button.primary");
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.responseType = "document";
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) bar.value = (100 * event.loaded) / event.total;
  });
  request.addEventListener("load", () => {
    // After a redirect the answer is the page that it led to; else it is this page with what went wrong.
    if (request.responseURL !== form.action) { location.assign(request.responseURL); return; }
    const main = request.response && request.response.querySelector("main");
    const said = main && main.querySelector(".problem");
    fail(form, said ? said.textContent : "That did not work.");
  });
  request.addEventListener("error", () => fail(form, "The vault cannot be reached."));
  bar.hidden = false;
  button.disabled = true;
  request.send(new FormData(form));
}

function fail(form, text) {
  form.querySelector("progress").hidden = true;
  form.querySelector("button.primary").disabled = false;
  let said = form.querySelector(".problem");
  if (!said) {
    said = document.createElement("p");
    said.className = "problem";
    said.setAttribute("role", "alert");
    form.prepend(said);
  }
  said.textContent = text;
}
