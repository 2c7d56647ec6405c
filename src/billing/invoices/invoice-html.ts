import type { InvoiceDocument, LineGroup } from './invoice-document.ts';

/** A page of its own, without anything from elsewhere, that prints well. */
export function invoiceHtml({ title, stamp, facts, parties, groups, totals, notes }: InvoiceDocument): string {
  const number = facts[0]?.[1] ?? '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(`${title} ${number}`)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header>
<h1>${escaped(title)}${stamp === null ? '' : ` <span class="stamp">${escaped(stamp)}</span>`}</h1>
<dl>${facts.map(([label, value]) => `<div><dt>${escaped(label)}</dt><dd>${escaped(value)}</dd></div>`).join('')}</dl>
</header>
<section class="parties">${parties.map(({ label, lines }) => `<div><h2>${escaped(label)}</h2><p>${lines.map((line, i) => (i === 0 ? `<strong>${escaped(line)}</strong>` : escaped(line))).join('<br>')}</p></div>`).join('')}</section>
<table>
<thead><tr><th>Description</th><th class="n">Quantity</th><th class="n">Per 1M tokens</th><th class="n">Amount</th></tr></thead>
${groups.length === 0 ? '<tbody><tr><td colspan="4" class="none">Nothing was used in this period.</td></tr></tbody>' : groups.map(groupHtml).join('\n')}
</table>
<table class="totals"><tbody>${totals.map(({ label, value, isStrong }) => `<tr${isStrong ? ' class="strong"' : ''}><th scope="row">${escaped(label)}</th><td class="n">${escaped(value)}</td></tr>`).join('')}</tbody></table>
${notes.length === 0 ? '' : `<footer>${notes.map((note) => `<p>${escaped(note)}</p>`).join('')}</footer>`}
</main>
</body>
</html>
`;
}

function groupHtml({ title, rows, subtotal }: LineGroup): string {
  const lines = rows.map(
    ({ description, detail, quantity, unitPrice, amount }) =>
      `<tr><td>${escaped(description)}${detail === '' ? '' : `<small>${escaped(detail)}</small>`}</td><td class="n">${quantity}</td><td class="n">${unitPrice}</td><td class="n">${amount}</td></tr>`,
  );
  return `<tbody>
<tr class="group"><th colspan="4" scope="rowgroup">${escaped(title)}</th></tr>
${lines.join('\n')}
<tr class="sub"><td colspan="3">Project total</td><td class="n">${subtotal}</td></tr>
</tbody>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}

const STYLE = `
:root { color: #1c2330; font: 14px/1.45 system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; }
body { margin: 0; background: #f3f4f7; }
main { max-width: 52rem; margin: 2rem auto; padding: 3rem; background: #fff; border: 1px solid #dfe2e8; }
header { display: flex; justify-content: space-between; gap: 2rem; border-bottom: 2px solid #1c2330; padding-bottom: 1.2rem; }
h1 { margin: 0; font-size: 1.9rem; font-weight: 600; letter-spacing: -0.01em; }
.stamp { display: inline-block; vertical-align: middle; margin-left: .6rem; padding: .1rem .6rem; border: 2px solid #a33a2c; border-radius: .3rem; color: #a33a2c; font-size: .9rem; letter-spacing: .08em; }
dl { margin: 0; display: grid; gap: .15rem; }
dl div { display: grid; grid-template-columns: 8rem auto; }
dt { color: #667084; } dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
.parties { display: grid; grid-template-columns: 1fr 1fr; gap: 2rem; margin: 1.6rem 0 2rem; }
h2 { margin: 0 0 .3rem; color: #667084; font-size: .8rem; font-weight: 600; letter-spacing: .06em; text-transform: uppercase; }
p { margin: 0; }
table { width: 100%; border-collapse: collapse; }
thead { display: table-header-group; }
th { text-align: left; font-weight: 600; }
thead th { padding: .4rem .5rem; border-bottom: 1px solid #1c2330; color: #667084; font-size: .8rem; letter-spacing: .04em; text-transform: uppercase; }
td { padding: .35rem .5rem; border-bottom: 1px solid #eceef2; vertical-align: top; }
tr { break-inside: avoid; }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.group th { padding: 1rem .5rem .3rem; }
.sub td { border-bottom: 1px solid #c9ced8; color: #667084; text-align: right; }
.none { color: #667084; }
small { display: block; color: #667084; }
.totals { width: auto; min-width: 24rem; margin: 1.6rem 0 0 auto; break-inside: avoid; }
.totals th { padding: .3rem .5rem; font-weight: 400; } .totals td { border: 0; padding: .3rem .5rem; }
.totals .strong th, .totals .strong td { border-top: 1px solid #1c2330; font-weight: 600; font-size: 1.05rem; }
footer { margin-top: 2.4rem; padding-top: 1rem; border-top: 1px solid #dfe2e8; color: #667084; }
footer p { white-space: pre-line; margin-bottom: .5rem; }
@page { margin: 16mm; }
@media print { body { background: #fff; } main { max-width: none; margin: 0; padding: 0; border: 0; } }
`;
