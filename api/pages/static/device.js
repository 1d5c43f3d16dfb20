// Signs what the holder of a number says with a key that never leaves this browser (WebCrypto, not extractable).
// Without this file every page works but for what needs a signature. The statement signed is canonical JSON
// (RFC 8785): the server makes the same text again and checks the signature over it.

const DATABASE = "clearance", STORE = "keys", NAME = "device";
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };

function stored(mode, act) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const request = act(opening.result.transaction(STORE, mode).objectStore(STORE));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    };
  });
}

async function deviceKey() {
  const known = await stored("readonly", (store) => store.get(NAME));
  if (known) return known;
  const made = await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
  await stored("readwrite", (store) => store.put(made, NAME));
  return made;
}

const hex = (buffer) => "0x" + Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

// Keys in order, no spaces: all values here are ASCII, so JSON.stringify writes them as RFC 8785 does.
function canonical(statement) {
  return JSON.stringify(statement, Object.keys(statement).sort());
}

// The server's time, also where the device's clock is wrong: a signature of long ago is not taken.
const AHEAD = Number(document.documentElement.dataset.now) - Math.floor(Date.now() / 1000);

function statementOf(form, button) {
  const data = new FormData(form, button);
  const nonce = hex(crypto.getRandomValues(new Uint8Array(16))).slice(2);
  const told = { statement: "clearance.answer/v2", about: "number", at: Math.floor(Date.now() / 1000) + AHEAD, nonce };
  const exempt = () => Array.from(form.querySelectorAll("input[name=exempt]:checked"), (box) => box.dataset.parcel).sort();
  switch (form.dataset.statement) {
    case "freeze": return { ...told, what: "frozen", exempt: exempt() };
    case "thaw": return { ...told, what: "thawed", until: `${data.get("until")}T14:59:59Z` }; // the end of that day in Korea
    case "consent-first": return { ...told, what: data.get("on") === "1" ? "consent_first" : "no_consent_first" };
    default: return { ...told, what: data.get("answer"), about: form.dataset.statement, parcel: form.dataset.parcel };
  }
}

async function signed(form, button) {
  const key = await deviceKey();
  const told = statementOf(form, button);
  const text = new TextEncoder().encode(canonical(told));
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key.privateKey, text);
  form.elements.at.value = told.at;
  form.elements.nonce.value = told.nonce;
  form.elements.signature.value = hex(signature);
}

async function bound(form) {
  const key = await deviceKey();
  form.elements.device_key.value = hex(await crypto.subtle.exportKey("raw", key.publicKey));
}

for (const form of document.querySelectorAll("form[data-device]")) {
  form.addEventListener("submit", async (event) => {
    if (form.dataset.ready || !globalThis.crypto?.subtle) return; // a page that is not secure goes on unsigned
    event.preventDefault();
    const button = event.submitter;
    try {
      await (form.dataset.device === "bind" ? bound(form) : signed(form, button));
    } catch (fault) {
      console.warn("unsigned:", fault); // the server says whether it needed a signature
    }
    form.dataset.ready = "yes";
    form.requestSubmit(button);
  });
}
