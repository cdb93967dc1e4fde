// The page's side of the explorer: it draws what the kernel answers, and asks for one page at a time. All text is set as
// text, never as markup. One question is on its way at a time; of what is asked meanwhile, the last one is kept.

// As charts call them, and in their order, from below.
const KINDS = [
  ["modifies", "modifies"],
  ["inserts", "inserts"],
  ["removes", "removes"],
  ["ttl_removes", "removes by TTL"],
]
const WAITS = 15_000
let views = 0

function make(tag, attributes = {}, ...children) {
  const node = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value)
    else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value)
  }
  node.append(...children.filter(child => child !== null && child !== undefined))
  return node
}

// A field whose text counts once it is entered, or left.
function entered(attributes, act) {
  const field = make("input", { type: "text", spellcheck: "false", autocomplete: "off", ...attributes })
  const tell = () => {
    if (field.value === field.told) return
    field.told = field.value
    act(field.value)
  }
  field.addEventListener("change", tell)
  field.addEventListener("keydown", event => event.key === "Enter" && tell())
  return field
}

function number(value) {
  return value.toLocaleString("en-US")
}

function counted(value, noun) {
  return `${number(value)} ${noun}${value === 1 ? "" : "s"}`
}

// An instant in microseconds as people write it, in UTC.
function written(micros) {
  const seconds = Math.floor(micros / 1e6)
  const rest = micros - seconds * 1e6
  const text = new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ")
  return rest ? `${text}.${String(rest).padStart(6, "0")}` : text
}

// What a bar stands for: 86,400,000,000 is 1 d.
function lasting(micros) {
  for (const [unit, length] of [["d", 864e8], ["h", 36e8], ["min", 6e7], ["s", 1e6], ["ms", 1e3]])
    if (micros >= length && micros % length === 0) return `${micros / length} ${unit}`
  return `${micros} µs`
}

class View {
  constructor(model, el) {
    this.model = model
    this.el = el
    this.facts = model.get("facts")
    this.id = ++views
    this.asked = 0
    this.waiting = null
    this.next = null
    this.stand = { at: this.facts.at, compare: this.facts.compare, where: this.facts.where }
    this.sort = null
    this.descending = false
    this.first = 0
    this.mode = "state"
    this.item = null
    this.draw()
    this.heard = message => this.hear(message)
    model.on("msg:custom", this.heard)
    this.ask({})
  }

  close() {
    clearTimeout(this.timer)
    this.model.off("msg:custom", this.heard)
  }

  // Asking.

  // Ask for what is to be seen; `moved` is what of it is other than before.
  ask(moved, of = "") {
    const before = this.next?.moved ?? {}
    const all = { ...before, ...moved }
    if (moved.step) all.step = moved.step + (before.step ?? 0) // two clicks are two steps
    this.next = { moved: all, of: of || this.next?.of }
    if (!this.waiting) this.send()
  }

  send() {
    const { moved, of } = this.next
    this.next = null
    const asked = { sort: this.sort, descending: this.descending, first: this.first, mode: this.mode, of }
    this.post({ kind: "view", ...asked, ...moved })
  }

  post(message) {
    this.waiting = { ...message, id: ++this.asked, view: this.id }
    this.el.querySelector(".wbx").classList.add("wbx-waiting")
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.waiting = null
      this.say("The kernel does not answer: it is busy, or was restarted. Then run the cell again.")
    }, WAITS)
    this.model.send(this.waiting)
  }

  hear(answer) {
    if (answer.kind === "moved") {
      this.first = 0
      this.ask({}) // where things stand now, which may be further on
      return
    }
    if (answer.view !== this.id || answer.id !== this.asked) return
    this.waiting = null
    clearTimeout(this.timer)
    this.el.querySelector(".wbx").classList.remove("wbx-waiting")
    if (answer.kind === "error") this.refused(answer)
    else if (answer.kind === "item") this.showItem(answer)
    else this.show(answer)
    if (this.next) this.send()
    else if (this.wanted !== undefined && this.wanted !== null) {
      const item = this.wanted
      this.wanted = null
      this.post({ kind: "item", item })
    }
  }

  open(item) {
    if (this.waiting) this.wanted = item
    else this.post({ kind: "item", item })
  }

  refused(answer) {
    const field = { at: this.at, compare: this.compare, where: this.where }[answer.of]
    field?.setAttribute("aria-invalid", "true")
    this.say(answer.error)
  }

  say(text) {
    this.problem.textContent = text
    this.problem.hidden = !text
    if (!text) for (const field of [this.at, this.compare, this.where]) field.removeAttribute("aria-invalid")
  }

  // What stays.

  draw() {
    const facts = this.facts
    const id = name => `wbx-${this.id}-${name}`
    const [low, high] = facts.span
    const slider = (name, label) =>
      make("input", {
        type: "range", class: `wbx-slider wbx-${name}`, id: id(`${name}-slider`), "aria-label": label,
        min: low, max: high, step: facts.step, disabled: low === high,
        oninput: event => this.slide(name, Number(event.target.value)),
      })
    const typed = (name, label) =>
      entered({ class: "wbx-typed", id: id(name), "aria-label": label }, text => this.type(name, text))
    this.atSlider = slider("at", "Instant, UTC")
    this.compareSlider = slider("compare", "Instant to compare with, UTC")
    this.at = typed("at", "Instant, UTC: such as 2026-11-19 12:00 or -2d")
    this.compare = typed("compare", "Instant to compare with, UTC")
    this.comparing = make("input", {
      type: "checkbox", id: id("comparing"),
      onchange: event => this.choose(event.target.checked),
    })
    this.where = entered({ class: "wbx-where", id: id("where"), placeholder: this.example() }, text => this.filter(text))
    const step = (by, label, sign) =>
      make("button", { type: "button", "aria-label": label, title: label, onclick: () => this.step(by) }, sign)
    this.headline = make("span", { class: "wbx-headline", role: "status" })
    this.problem = make("p", { class: "wbx-problem", role: "alert", hidden: true })
    this.chart = make("div", { class: "wbx-chart" })
    this.compareRow = make("div", { class: "wbx-row wbx-compare-row", hidden: true },
      this.compare, make("span", { class: "wbx-difference" }))
    this.tabs = make("div", { class: "wbx-tabs", role: "group", "aria-label": "What is shown", hidden: true },
      ...[["state", "Items"], ["difference", "Difference"]].map(([mode, label]) =>
        make("button", { type: "button", "data-mode": mode, onclick: () => this.turn(mode) }, label)))
    this.table = make("div", { class: "wbx-table", tabindex: "0", role: "region", "aria-label": "Items" })
    this.pager = make("div", { class: "wbx-pager" })
    this.panel = make("section", { class: "wbx-item", "aria-label": "Timeline of an item", tabindex: "-1", hidden: true })
    this.sql = make("pre", { tabindex: "0", role: "region", "aria-label": "SQL" })
    this.python = make("pre", { tabindex: "0", role: "region", "aria-label": "Python" })
    const copied = (label, from) =>
      make("button", { type: "button", onclick: event => this.copy(from.textContent, event.target) }, label)
    this.el.append(
      make("section", { class: "wbx", "aria-label": `Explorer of ${facts.table}` },
        make("p", { class: "wbx-head" }, make("b", {}, facts.table), this.headline),
        make("div", { class: "wbx-time" }, this.chart, this.atSlider, this.compareSlider),
        this.legend(),
        make("div", { class: "wbx-row" },
          step(-1, "To the change before", "◀"), this.at, step(1, "To the next change", "▶"),
          make("span", { class: "wbx-unit" }, "UTC"),
          make("label", { class: "wbx-check", for: id("comparing") }, this.comparing, "compare with another instant")),
        this.compareRow,
        make("div", { class: "wbx-row" },
          make("label", { for: id("where") }, "Filter"), this.where,
          make("button", { type: "button", onclick: () => this.filter("") }, "Clear")),
        this.problem, this.tabs, this.table, this.pager, this.panel,
        make("details", {}, make("summary", {}, "The same in SQL and in Python"),
          make("div", { class: "wbx-code" }, copied("Copy the SQL", this.sql), this.sql),
          make("div", { class: "wbx-code" }, copied("Copy the Python", this.python), this.python)),
        make("p", { class: "wbx-small" }, facts.summary)))
    this.drawChart()
  }

  // A condition that can be written here.
  example() {
    const plain = this.facts.columns.filter(({ name, key }) => !key && /^[A-Za-z_][\w.]*$/.test(name))
    const of = type => plain.find(column => column.type === type)?.name
    const parts = [of("number") && `${of("number")} > 5`, of("text") && `${of("text")} like 'A%'`].filter(Boolean)
    return `a condition${parts.length ? `, such as ${parts.join(" and ")}` : ""}`
  }

  legend() {
    const { changes, bar } = this.facts
    const there = KINDS.filter(([name]) => changes[name].some(Boolean))
    return make("p", { class: "wbx-legend" },
      ...there.map(([name, label]) => {
        const all = changes[name].reduce((sum, each) => sum + each, 0)
        return make("span", {}, make("i", { class: `wbx-${name}` }), `${label} ${number(all)}`)
      }),
      there.length ? make("span", {}, `a bar is ${lasting(bar)}`) : "Nothing has changed.")
  }

  // The changes behind the slider, stacked. The numbers are told in words too.
  drawChart() {
    const { changes, edges, span: [low, high] } = this.facts
    const bars = Math.max(edges.length - 1, 0)
    const totals = Array.from({ length: bars }, (_, at) => KINDS.reduce((sum, [name]) => sum + changes[name][at], 0))
    const most = Math.max(...totals, 1)
    const length = Math.max(high - low, 1)
    const place = micros => (1000 * (micros - low)) / length
    const peak = totals.indexOf(most)
    const label = bars && peak >= 0
      ? `${counted(totals.reduce((sum, each) => sum + each, 0), "change")} from ${written(low)} to ${written(high)} UTC; ` +
        `most, ${number(most)}, from ${written(edges[peak])}`
      : "No changes"
    const svg = make("svg:svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", role: "img", "aria-label": label })
    for (let at = 0; at < bars; at++) {
      let top = 100
      const left = place(edges[at])
      const width = Math.max(Math.min(place(edges[at + 1]), 1000) - left, 0.5)
      for (const [name] of KINDS) {
        const height = (96 * changes[name][at]) / most
        if (!height) continue
        top -= height
        svg.append(make("svg:rect", {
          class: `wbx-${name}`, x: left + width * 0.06, y: top, width: width * 0.88, height,
        }))
      }
      if (totals[at]) {
        const told = KINDS.filter(([name]) => changes[name][at]).map(([name, what]) => `${number(changes[name][at])} ${what}`)
        const hover = make("svg:rect", { class: "wbx-hover", x: left, y: 0, width, height: 100 })
        hover.append(make("svg:title", {}, `${written(edges[at])} UTC: ${told.join(", ")}`))
        svg.append(hover)
      }
    }
    svg.addEventListener("click", event => {
      const box = svg.getBoundingClientRect()
      const micros = low + (length * (event.clientX - box.left)) / box.width
      this.slide("at", Math.min(Math.round(micros / this.facts.step) * this.facts.step, high))
    })
    this.marks = { at: make("div", { class: "wbx-mark wbx-at" }), compare: make("div", { class: "wbx-mark wbx-compare" }) }
    this.place = micros => `${Math.min(Math.max(place(micros) / 10, 0), 100)}%`
    this.chart.append(svg, make("span", { class: "wbx-most", "aria-hidden": "true" }, number(most)),
      this.marks.compare, this.marks.at)
    this.chart.append(make("div", { class: "wbx-ends", "aria-hidden": "true" },
      make("span", {}, written(low)), make("span", {}, written(high))))
  }

  // What people do.

  slide(name, micros) {
    this.stand[name] = micros
    this.first = 0
    this.mark()
    this.ask({ [name]: micros, step: 0 })
  }

  type(name, text) {
    this.first = 0
    this.ask({ [name]: text, step: 0 }, name)
  }

  step(by) {
    this.first = 0
    this.ask({ step: by })
  }

  choose(compared) {
    this.first = 0
    const { span: [low, high], step } = this.facts
    this.mode = compared ? "difference" : "state"
    const before = this.stand.at - Math.ceil((high - low) / 8 / step) * step
    this.stand.compare = compared ? Math.max(before, low) : null
    this.ask({ compare: this.stand.compare })
  }

  filter(text) {
    this.first = 0
    this.where.value = this.where.told = text
    this.ask({ where: text }, "where")
  }

  turn(mode) {
    this.mode = mode
    this.first = 0
    this.ask({})
  }

  order(column) {
    // once: ascending, twice: descending, three times: by key again
    if (this.sort !== column) [this.sort, this.descending] = [column, false]
    else if (!this.descending) this.descending = true
    else [this.sort, this.descending] = [null, false]
    this.first = 0
    this.ask({})
  }

  async copy(text, button) {
    const label = button.textContent
    try {
      await navigator.clipboard.writeText(text)
      button.textContent = "Copied"
    } catch {
      const range = document.createRange()
      range.selectNodeContents(button.nextElementSibling)
      getSelection().removeAllRanges()
      getSelection().addRange(range)
      button.textContent = "Selected: copy it"
    }
    setTimeout(() => (button.textContent = label), 2000)
  }

  // What the kernel answers.

  mark() {
    const { at, compare } = this.stand
    this.marks.at.style.left = this.place(at)
    this.marks.compare.hidden = this.compareSlider.hidden = compare === null
    if (compare !== null) this.marks.compare.style.left = this.place(compare)
  }

  show(answer) {
    this.stand = { at: answer.at, compare: answer.compare, where: answer.where }
    this.say("")
    const sliders = [[this.atSlider, this.at, answer.at, answer.when],
      [this.compareSlider, this.compare, answer.compare, answer.comparison?.when]]
    for (const [slider, field, micros, when] of sliders) {
      if (micros === null) continue
      if (document.activeElement !== slider || Math.abs(Number(slider.value) - micros) >= this.facts.step)
        slider.value = micros
      slider.setAttribute("aria-valuetext", `${when} UTC`)
      if (!this.next) field.value = field.told = when
    }
    if (!this.next) this.where.value = this.where.told = answer.where
    this.comparing.checked = answer.compare !== null
    this.compareRow.hidden = this.tabs.hidden = answer.compare === null
    this.mark()
    if (answer.compare === null && !this.next) this.mode = "state"
    for (const button of this.tabs.children)
      button.setAttribute("aria-pressed", String(button.dataset.mode === this.mode))
    this.headline.textContent = this.told(answer)
    this.sql.textContent = answer.sql
    this.python.textContent = answer.python
    if (answer.comparison) this.showCounts(answer.comparison)
    if (this.mode === "difference" && answer.comparison) this.showDifference(answer.comparison, answer.first)
    else this.showItems(answer)
  }

  told(answer) {
    if (!this.facts.versions) return ": no state of an item is known"
    const items = answer.where
      ? `${number(answer.shown)} of ${counted(answer.there, "item")}`
      : counted(answer.there, "item")
    return ` at ${answer.when} UTC: ${items}`
  }

  showCounts({ counts, attributes }) {
    const told = Object.entries(counts).map(([name, value]) => `${number(value)} ${name}`).join(", ")
    const which = attributes.slice(0, 6).map(([name, value]) => `${name} ${number(value)}`).join(", ")
    const more = attributes.length > 6 ? ", …" : ""
    this.compareRow.querySelector(".wbx-difference").textContent = told + (which ? ` · ${which}${more}` : "")
  }

  cell([text, kind, whole], tag = "td", ...before) {
    const node = make(tag, { class: kind ? `wbx-${kind}` : undefined, title: whole || undefined }, ...before)
    node.append(kind === "absent" ? make("span", { class: "wbx-hidden" }, "absent") : text)
    return node
  }

  showItems({ rows, shown, first }) {
    this.table.setAttribute("aria-label", "Items")
    this.table.dataset.mode = "state"
    const head = this.facts.columns.map((column, at) => {
      const sorted = this.sort === at
      const sign = sorted ? (this.descending ? " ▼" : " ▲") : ""
      const button = make("button", { type: "button", "data-column": at, onclick: () => this.order(at) },
        column.name, make("span", { class: "wbx-sign", "aria-hidden": "true" }, sign), make("small", {}, column.type))
      return make("th", { scope: "col", "aria-sort": sorted ? (this.descending ? "descending" : "ascending") : "none" }, button)
    })
    const body = rows.map(row => {
      const cells = row.cells.map((cell, at) => {
        if (at) return this.cell(cell)
        const key = make("button", { type: "button", class: "wbx-key", title: cell[2] || "Show its timeline", onclick: () => this.open(row.item) }, cell[1] === "absent" ? "(absent)" : cell[0])
        return make("th", { scope: "row" }, key)
      })
      return make("tr", { "aria-current": row.item === this.item ? "true" : undefined, "data-item": row.item },
        ...cells, make("td", {}, row.since))
    })
    this.fill(make("tr", {}, ...head, make("th", { scope: "col" }, "since", make("small", {}, "UTC"))), body, shown, first, "item")
  }

  showDifference({ rows, total }, first) {
    this.table.setAttribute("aria-label", "Items that differ")
    this.table.dataset.mode = "difference"
    const head = ["item", "", "what differs"].map(name => make("th", { scope: "col" }, name || make("span", { class: "wbx-hidden" }, "how")))
    const body = rows.map(row =>
      make("tr", { "data-item": row.item },
        make("th", { scope: "row" }, make("button", { type: "button", class: "wbx-key", title: "Show its timeline", onclick: () => this.open(row.item) }, row.key)),
        make("td", { class: `wbx-${row.change}` }, { added: "+ added", removed: "− removed", changed: "~ changed" }[row.change]),
        make("td", { class: "wbx-wraps" }, this.attributes(row))))
    this.fill(make("tr", {}, ...head), body, total, first, "difference")
  }

  // What attributes were and became.
  attributes({ attributes, more }, came = false) {
    const list = make("ul", { class: "wbx-attributes" })
    for (const [name, before, after] of attributes) {
      const side = ([text, kind, whole]) =>
        make("span", { class: kind ? `wbx-${kind}` : undefined, title: whole || undefined }, kind === "absent" ? "absent" : text)
      const became = make("span", { "aria-label": "became", role: "img" }, " → ")
      list.append(make("li", {}, make("b", {}, name), " ", ...(came ? [] : [side(before), became]), side(after)))
    }
    if (more) list.append(make("li", {}, `… and ${counted(more, "more attribute")}`))
    return list
  }

  fill(head, body, total, first, noun) {
    const page = this.facts.page
    const left = this.table.scrollLeft
    const focused = this.table.contains(document.activeElement) ? document.activeElement : null
    const column = focused?.dataset.column
    const item = focused?.closest("tr")?.dataset.item
    const empty = noun === "item" ? "No item is there." : "Nothing differs."
    this.table.replaceChildren(body.length
      ? make("table", {}, make("thead", {}, head), make("tbody", {}, ...body))
      : make("p", { class: "wbx-empty" }, empty))
    this.table.scrollLeft = left
    if (column !== undefined) this.table.querySelector(`button[data-column="${column}"]`)?.focus()
    else if (item !== undefined) this.table.querySelector(`tr[data-item="${item}"] button`)?.focus()
    const go = (label, to, disabled) =>
      make("button", { type: "button", disabled, onclick: () => { this.first = to; this.ask({}) } }, label)
    this.pager.replaceChildren(...(total > page
      ? [go("First", 0, !first), go("Previous", Math.max(first - page, 0), !first),
        make("span", {}, `${number(first + 1)} to ${number(Math.min(first + page, total))} of ${number(total)}`),
        go("Next", first + page, first + page >= total),
        go("Last", Math.floor((total - 1) / page) * page, first + page >= total)]
      : []))
  }

  showItem(answer) {
    this.item = answer.item
    for (const row of this.table.querySelectorAll("tr[data-item]"))
      if (Number(row.dataset.item) === answer.item) row.setAttribute("aria-current", "true")
      else row.removeAttribute("aria-current")
    const here = answer.told.find(({ at }) => at <= this.stand.at)
    const told = answer.told.map(({ at, when, what, ...rest }) =>
      make("li", { class: `wbx-${what.split(" ")[0]}`, "aria-current": at === here?.at ? "time" : undefined },
        make("button", { type: "button", title: "Move the handle here", onclick: () => this.slide("at", at) }, when),
        make("span", { class: "wbx-what" }, what),
        rest.attributes?.length ? this.attributes(rest, what !== "changed") : what === "changed" ? make("span", { class: "wbx-small" }, "nothing that is shown") : null))
    this.panel.replaceChildren(
      make("div", { class: "wbx-row" },
        make("b", { class: "wbx-headline" }, answer.key),
        make("span", { class: "wbx-small" }, counted(answer.versions, "version")),
        make("button", { type: "button", class: "wbx-close", onclick: () => this.closeItem() }, "Close")),
      make("ol", { class: "wbx-told" }, ...told))
    this.panel.hidden = false
    this.panel.focus({ preventScroll: true })
    this.panel.scrollIntoView({ block: "nearest" })
  }

  closeItem() {
    this.panel.hidden = true
    this.table.querySelector('tr[aria-current="true"] .wbx-key')?.focus()
    this.item = null
    this.table.querySelector('tr[aria-current="true"]')?.removeAttribute("aria-current")
  }
}

function render({ model, el }) {
  const view = new View(model, el)
  return () => view.close()
}

export default { render }
