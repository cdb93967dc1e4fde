// Tables of reports: sorted, searched and paged in place. Without it they are whole, and scroll.
"use strict"
const PAGES = [25, 100, 500]
const made = (tag, properties, ...inside) => {
  const node = Object.assign(document.createElement(tag), properties)
  node.append(...inside)
  return node
}
for (const box of document.querySelectorAll("div.table[data-rows]")) {
  const table = box.querySelector("table"), body = table?.tBodies[0]
  if (!body) continue
  const all = [...body.rows]
  const heads = [...table.querySelectorAll("th[data-order]")]
  const say = new Intl.NumberFormat("en").format
  let rows = all, texts, sorted, backwards = false, size = PAGES[0], page = 0
  const told = made("span", {role: "status"}), pager = made("span", {className: "pager"})
  const step = (text, label, by) => made("button", {type: "button", textContent: text, ariaLabel: label, onclick() {
    page += by
    show()
  }})
  const before = step("‹", "Rows before", -1), after = step("›", "Rows after", 1)
  const sizes = made("select", {ariaLabel: "Rows at once", onchange() {
    size = Number(sizes.value)
    page = 0
    show()
  }}, ...PAGES.map(each => made("option", {value: each, textContent: `${each} rows`})))
  const search = made("input", {type: "search", placeholder: "Search", ariaLabel: "Search in this table", oninput: find})

  function find() {
    texts ??= new Map(all.map(row => [row, row.textContent.toLowerCase()]))
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean)
    rows = order().filter(row => words.every(word => texts.get(row).includes(word)))
    page = 0
    body.replaceChildren(...rows)
    show()
  }
  function order() {
    if (!sorted) return all
    const places = sorted.dataset.order.split(" ").map(Number), there = places.length - Number(sorted.dataset.absent)
    const known = places.slice(0, there), rest = places.slice(there)
    return [...(backwards ? known.reverse() : known), ...rest].map(place => all[place])
  }
  function show() {
    const first = page * size
    rows.forEach((row, place) => { row.hidden = place < first || place >= first + size })
    const last = Math.min(first + size, rows.length)
    const which = rows.length <= size ? "" : `${say(first + 1)} to ${say(last)} of `
    told.textContent = rows.length === 1 ? "1 row" : `${which}${say(rows.length)} rows`
    if (rows.length < all.length) told.textContent += ` found, of ${say(all.length)}`
    pager.hidden = rows.length <= PAGES[0]
    before.disabled = page === 0
    after.disabled = last >= rows.length
    box.dataset.found = rows.length < all.length ? rows.length : ""
  }
  for (const head of heads) {
    const button = made("button", {type: "button", onclick() {
      backwards = sorted === head && !backwards
      sorted?.removeAttribute("aria-sort")
      sorted = head
      head.setAttribute("aria-sort", backwards ? "descending" : "ascending")
      find()
    }})
    button.append(...head.childNodes)
    head.append(button)
  }
  pager.append(before, after, sizes)
  const tools = made("div", {className: "tools"}, told, pager)
  if (all.length > 10) tools.prepend(search)
  if (all.length > 1) box.prepend(tools)
  box.classList.add("live")
  show()
}
