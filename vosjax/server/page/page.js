// Draws the server's own openapi.json as a page; nothing comes from another address.

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(tag, text, ...children) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function resolved(schema, all) {
  const name = schema?.$ref?.split("/").pop();
  return name ? { title: name, ...all.components.schemas[name] } : schema ?? {};
}

function kind(schema, all) {
  const whole = resolved(schema, all);
  const options = whole.anyOf ?? whole.oneOf;
  if (options) return options.map((option) => kind(option, all)).join(" or ");
  if (whole.prefixItems) return `[${whole.prefixItems.map((item) => kind(item, all)).join(", ")}]`;
  if (whole.type === "array") return `list of ${kind(whole.items ?? {}, all)}`;
  if (whole.additionalProperties?.type || whole.additionalProperties?.anyOf || whole.additionalProperties?.prefixItems) {
    return `{id: ${kind(whole.additionalProperties, all)}}`;
  }
  if (schema?.$ref) return whole.title;
  return whole.format ? `${whole.type} (${whole.format})` : whole.type ?? "anything";
}

function fields(schema, all) {
  const forms = (schema.anyOf ?? []).filter((option) => option.$ref);
  const whole = resolved(forms.length === 1 ? forms[0] : schema, all);
  const properties = Object.entries(whole.properties ?? {});
  if (!properties.length) return element("p", kind(schema, all));
  const table = element("table");
  const head = element("tr");
  head.append(...["field", "type", "meaning"].map((word) => element("th", word)));
  table.append(element("thead", "", head));
  const rows = properties.map(([name, field]) => {
    const needed = (whole.required ?? []).includes(name) ? "" : " (may be left out)";
    const meaning = (field.description ?? "") + (schema.response ? "" : needed);
    return element("tr", "", element("td", "", element("code", name)), element("td", kind(field, all)), element("td", meaning));
  });
  table.append(element("tbody", "", ...rows));
  return table;
}

function contents(title, content, all, response) {
  return Object.entries(content ?? {}).map(([type, form]) => {
    const part = element("section", "", element("h3", `${title}: ${type}`));
    part.append(fields({ ...form.schema, response }, all));
    return part;
  });
}

function operation(method, path, told, all) {
  const summary = element("summary");
  summary.append(element("span", method.toUpperCase()), element("code", path), element("span", ` ${(told.description ?? "").split("\n")[0]}`));
  summary.firstChild.className = "method";
  const body = element("div", "", ...(told.description ?? "").split("\n\n").slice(1).map((text) => element("p", text)));
  body.append(...contents("Request", told.requestBody?.content, all, false));
  for (const [status, answer] of Object.entries(told.responses ?? {})) {
    if (!/^2/.test(status)) continue;
    if (!answer.content) body.append(element("p", `Answer ${status}, without content.`));
    body.append(...contents(`Answer ${status}`, answer.content, all, true));
  }
  return element("details", "", summary, body);
}

async function draw() {
  const main = document.getElementById("operations");
  const answer = await fetch("openapi.json");
  const all = await answer.json();
  if (!answer.ok) throw new Error(all.error);
  document.getElementById("title").textContent = `${all.info.title} ${all.info.version}`;
  document.getElementById("about").textContent = all.info.description ?? "";
  const groups = new Map();
  for (const [path, methods] of Object.entries(all.paths)) {
    for (const method of METHODS.filter((name) => name in methods)) {
      const tag = methods[method].tags?.[0] ?? "other";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operation(method, path, methods[method], all));
    }
  }
  main.replaceChildren();
  for (const [tag, operations] of groups) main.append(element("h2", tag), ...operations);
  const forms = Object.entries(all.components.schemas).filter(([name]) => !name.includes("Validation"));
  main.append(element("h2", "forms"));
  for (const [name, form] of forms) {
    const summary = element("summary", "", element("code", name), element("span", ` ${form.description ?? ""}`));
    main.append(element("details", "", summary, element("div", "", fields(form, all))));
  }
}

draw().catch((error) => {
  document.getElementById("operations").replaceChildren(element("p", `The description cannot be read: ${error.message}`));
});
