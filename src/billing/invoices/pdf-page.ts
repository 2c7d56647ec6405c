import type {} from 'pdfkit';

/** Margins and sizes in points. */
const MARGIN = 48;
const PAGE = { width: 595.28, height: 841.89 };
const FOOT = 22;
const SIZE = 9.5;
const INK = '#1c2330';
const FAINT = '#667084';
const ALARM = '#a33a2c';

export interface TextStyle {
  readonly size?: number;
  readonly isBold?: boolean;
  readonly isFaint?: boolean;
  /** Where it begins, from the left margin; or else where each of its lines ends. */
  readonly left?: number;
  readonly right?: number;
  /** Longer text goes on in the next line. */
  readonly width?: number;
}

type Pdf = PDFKit.PDFDocument;

/** A cursor that moves down over as many pages as it needs. */
export class PdfPage {
  /** Between the margins. */
  readonly width = PAGE.width - 2 * MARGIN;
  /** From the upper margin. */
  y = 0;
  readonly #pdf: Pdf;
  readonly #chunks: Buffer[] = [];
  readonly #ended: Promise<void>;

  private constructor(pdf: Pdf) {
    this.#pdf = pdf;
    this.#ended = new Promise((resolve) => {
      pdf.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
      pdf.on('end', () => resolve());
    });
  }

  /** The library is loaded when the first document is drawn. */
  static async open({ title, createdAt }: { readonly title: string; readonly createdAt: Date }): Promise<PdfPage> {
    const { default: PDFDocument } = await import('pdfkit');
    const info = { Title: title, CreationDate: createdAt, ModDate: createdAt, Producer: 'Meridian', Creator: 'Meridian' };
    return new PdfPage(new PDFDocument({ size: 'A4', margin: 0, bufferPages: true, info, lang: 'en' }));
  }

  /** Writes at the cursor, which stays where it is; the height of what was written. */
  text(text: string, { size = SIZE, isBold = false, isFaint = false, left = 0, right, width }: TextStyle = {}): number {
    const shown = winAnsi(text);
    const height = this.heightOf(text, { size, isBold, ...(width === undefined ? {} : { width }) });
    this.#pdf.fillColor(isFaint ? FAINT : INK);
    const x = right === undefined ? left : right - (width ?? this.#pdf.widthOfString(shown));
    this.#pdf.text(shown, MARGIN + x, MARGIN + this.y, width === undefined ? { lineBreak: false } : { width, align: right === undefined ? 'left' : 'right' });
    return height;
  }

  /** The height that `text` would return. */
  heightOf(text: string, { size = SIZE, isBold = false, width }: TextStyle = {}): number {
    this.#font(size, isBold);
    return width === undefined ? this.#pdf.currentLineHeight() : this.#pdf.heightOfString(winAnsi(text), { width });
  }

  /** The width in one line. */
  widthOf(text: string, { size = SIZE, isBold = false }: TextStyle = {}): number {
    this.#font(size, isBold);
    return this.#pdf.widthOfString(winAnsi(text));
  }

  /** A framed word beside the title. */
  stamp(text: string): void {
    const pdf = this.#pdf;
    pdf.font('Helvetica-Bold').fontSize(11);
    const width = pdf.widthOfString(text, { characterSpacing: 1 }) + 14;
    const [x, y] = [MARGIN, MARGIN + this.y + 32];
    pdf.lineWidth(1.4).roundedRect(x, y, width, 20, 3).stroke(ALARM);
    pdf.fillColor(ALARM).text(text, x + 7, y + 5.5, { lineBreak: false, characterSpacing: 1 });
  }

  rule(weight: number, left = 0): void {
    this.#pdf.lineWidth(weight).moveTo(MARGIN + left, MARGIN + this.y).lineTo(PAGE.width - MARGIN, MARGIN + this.y).stroke(weight < 0.5 ? '#c9ced8' : INK);
  }

  down(points: number): void {
    this.y += points;
  }

  /** Begins a new page, with `head` on it, unless so many points are left on this one. */
  need(points: number, head: (page: PdfPage) => void = () => {}): void {
    if (MARGIN + this.y + points <= PAGE.height - MARGIN - FOOT) return;
    this.#pdf.addPage();
    this.y = 0;
    head(this);
  }

  #font(size: number, isBold: boolean): void {
    this.#pdf.font(isBold ? 'Helvetica-Bold' : 'Helvetica').fontSize(size);
  }

  /** Writes the foot of each page, and returns the document. */
  async close(foot: (page: number, pages: number) => string): Promise<Buffer> {
    const { start, count } = this.#pdf.bufferedPageRange();
    for (let i = 0; i < count; i += 1) {
      this.#pdf.switchToPage(start + i);
      this.y = PAGE.height - 2 * MARGIN - 8;
      this.text(foot(i + 1, count), { size: 8, isFaint: true, right: this.width });
    }
    this.#pdf.end();
    await this.#ended;
    return Buffer.concat(this.#chunks);
  }
}

/** Beyond Latin-1 there are these in Windows-1252, and so in the built-in fonts. */
const UNKNOWN = /[^\u{20}-\u{ff}€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ\n]/gu;

/** The built-in fonts know Western European letters; others are shown as a question mark. */
function winAnsi(text: string): string {
  return text.normalize('NFC').replace(UNKNOWN, '?');
}
