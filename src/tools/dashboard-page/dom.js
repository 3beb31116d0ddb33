// Owns how elements are made and changed. Text is only ever set as text: names, labels and errors come from elsewhere.

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no #${id}`)
  return found
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, className = '', ...children) {
  const element = document.createElement(tag)
  if (className !== '') element.className = className
  element.append(...children)
  return element
}

/**
 * Sets only what is new, so that a selection and a screen reader are left in peace.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text
}

/**
 * @typedef {{ text: string, className?: string, title?: string }} Cell
 * @typedef {{ heading: string, isNumber?: boolean }} Column
 */

/** A table whose rows are kept and filled anew. */
export class Table {
  /**
   * @param {HTMLElement} parent
   * @param {string} caption
   * @param {readonly Column[]} columns
   * @param {string} none what is said instead of an empty table
   */
  constructor(parent, caption, columns, none) {
    this.columns = columns
    this.body = make('tbody')
    this.none = make('p', 'quiet', none)
    const heads = columns.map(({ heading, isNumber }) => {
      const head = make('th', isNumber ? 'number' : '', heading)
      head.scope = 'col'
      return head
    })
    const table = make(
      'table',
      '',
      make('caption', 'spoken', caption),
      make('thead', '', make('tr', '', ...heads)),
      this.body,
    )
    this.scroll = make('div', 'scroll', table)
    // Who has no pointer scrolls with the keys.
    this.scroll.tabIndex = 0
    this.scroll.setAttribute('role', 'region')
    this.scroll.setAttribute('aria-label', caption)
    parent.append(this.scroll, this.none)
  }

  /** @param {readonly { cells: readonly Cell[], className?: string }[]} rows */
  fill(rows) {
    this.scroll.hidden = rows.length === 0
    this.none.hidden = rows.length > 0
    while (this.body.rows.length > rows.length) this.body.deleteRow(-1)
    for (const [index, { cells, className = '' }] of rows.entries()) {
      const row = this.body.rows[index] ?? this.body.insertRow()
      if (row.className !== className) row.className = className
      for (const [at, { text, className: own = '', title = '' }] of cells.entries()) {
        const cell = row.cells[at] ?? row.appendChild(at === 0 ? this.#head() : make('td'))
        setText(cell, text)
        const wanted = `${this.columns[at]?.isNumber ? 'number ' : ''}${own}`.trim()
        if (cell.className !== wanted) cell.className = wanted
        if (cell.title !== title) cell.title = title
      }
    }
  }

  #head() {
    const head = make('th')
    head.scope = 'row'
    return head
  }
}
