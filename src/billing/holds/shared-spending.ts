import { InTurn, MeridianError, opposite, sumOf, wait, type Clock, type FemtoUsd, type Logger } from '../../core/index.ts';
import type { Budget, BudgetState } from '../ledger/billing-account.ts';
import type { AllowanceMove, AllowanceMoved, Allowances } from './allowances.ts';
import { BudgetsByScope, periodOf } from './budgets-by-scope.ts';
import { Hold } from './hold.ts';
import { isHard, potName, type Pot, type PotOwner } from './pot.ts';
import { SharedPot } from './shared-pot.ts';
import { whyRefused, type Booked, type Charged, type HoldAnswer, type HoldWanted, type Payer, type Spending } from './spending.ts';

/** Who is served for what was paid ahead, and which budgets there are. */
export interface SpendingTerms {
  readonly prepaid: readonly string[];
  readonly budgets: readonly Budget[];
}

export interface SharedSpendingOptions {
  readonly allowances: Allowances;
  readonly terms: SpendingTerms;
  /** How long it goes on by itself when nobody hears of it. */
  readonly allowanceMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Has other gateways give back what they do not need of a pot. */
  readonly onShort: (pot: string) => void;
  /** Told of budgets of which more is spent by the books. */
  readonly onSpent: (budget: Budget) => void;
}

const NOTHING = sumOf([]);
/** After as long without a hold, what is set aside goes back. */
const IDLE_MS = 10_000;
/** How long others are given to give back, how often that is looked at, and how long after it was in vain they are not asked again. */
const RECALL_STEP_MS = 50;
const RECALL_STEPS = 6;
const RECALL_PAUSE_MS = 1_000;
const MOVES_PER_MS = 1_000;
/** Times that what was set aside for a request may be taken by another one before it. */
const TRIES_MAX = 16;

interface Unbooked {
  readonly charge: FemtoUsd;
  readonly pots: readonly SharedPot[];
}

/**
 * What may still be spent at one of several gateways: each has set aside a part of every pot it needs, places holds against that
 * in memory, and asks for more before it runs out. Whatever happens to gateways, networks and Redis, what all of them spend and hold is at
 * most what there is.
 */
export class SharedSpending implements Spending {
  readonly #options: SharedSpendingOptions;
  readonly #budgets = new BudgetsByScope();
  readonly #prepaid = new Set<string>();
  readonly #known = new Map<string, Budget>();
  readonly #pots = new Map<string, SharedPot>();
  readonly #turns = new Map<string, InTurn>();
  readonly #open = new Set<Hold>();
  readonly #unbooked = new Map<string, Unbooked>();
  /** Budgets that were charged since the books had more. */
  readonly #spentOn = new Set<Budget>();
  #moves: number;
  #isBeating = false;
  /** Monotonic: when it last said that it is there, and was heard. */
  #heardAtMs: number;

  constructor(options: SharedSpendingOptions) {
    this.#options = options;
    this.#heardAtMs = options.clock.now();
    this.#moves = options.clock.wallMs() * MOVES_PER_MS;
    this.renew(options.terms);
  }

  get openHolds(): number {
    return this.#open.size;
  }

  pots(): readonly Pot[] {
    return [...this.#pots.values()];
  }

  /** What bounds spending now, by the books: other gateways may have changed it. */
  renew({ prepaid, budgets }: SpendingTerms): void {
    for (const organization of this.#prepaid) if (!prepaid.includes(organization)) this.closeCredit(organization);
    for (const organization of prepaid) this.openCredit(organization);
    const there = new Set(budgets.map(({ id }) => id));
    for (const budget of this.#known.values()) if (!there.has(budget.id)) this.removeBudget(budget);
    for (const budget of budgets) this.#addBudget(budget);
  }

  bounds(payer: Payer): boolean {
    return this.#prepaid.has(payer.organization) || this.#budgets.of(payer).length > 0;
  }

  place(wanted: HoldWanted): HoldAnswer | Promise<HoldAnswer> {
    const pots = this.#potsOf(wanted.payer, wanted.admittedAtMs);
    if (pots.length > 0) this.#refuseAlone();
    return pots.every((pot) => pot.hasRoomFor(wanted.amount)) ? this.#held(wanted, pots) : this.#placeWithMore(wanted, pots);
  }

  async leftFor(payer: Payer, admittedAtMs: number): Promise<FemtoUsd | null> {
    let least: FemtoUsd | null = null;
    for (const pot of this.#potsOf(payer, admittedAtMs)) {
      if (!isHard(pot.owner)) continue;
      const moved = await this.#draw(pot, NOTHING);
      const left = sumOf([pot.left, moved?.free ?? NOTHING]);
      if (least === null || left < least) least = left;
    }
    return least;
  }

  settle(hold: Hold, { requestId, payer, admittedAtMs, charge }: Charged): void {
    this.#open.delete(hold);
    hold.settle();
    for (const budget of this.#budgets.of(payer)) this.#spentOn.add(budget);
    const pots = this.#potsOf(payer, admittedAtMs).filter(({ owner }) => isHard(owner));
    if (pots.length === 0) return;
    for (const pot of pots) pot.charge(charge);
    this.#unbooked.set(requestId, { charge, pots });
  }

  void(hold: Hold): void {
    this.#open.delete(hold);
    hold.void();
  }

  expire(nowMs: number): number {
    const late = [...this.#open].filter(({ expiresAtMs }) => expiresAtMs <= nowMs);
    for (const hold of late) {
      this.#open.delete(hold);
      hold.expire();
    }
    return late.length;
  }

  booked({ requests, corrections, takenOff = [] }: Booked): void {
    for (const id of requests) {
      const unbooked = this.#unbooked.get(id);
      this.#unbooked.delete(id);
      for (const pot of unbooked?.pots ?? []) pot.book(unbooked?.charge ?? NOTHING);
    }
    for (const { pot, amount } of takenOff) this.#pots.get(pot)?.allow(opposite(amount));
    for (const { payer } of corrections) for (const budget of this.#budgets.of(payer)) this.#spentOn.add(budget);
    for (const budget of this.#spentOn) this.#options.onSpent(budget);
    this.#spentOn.clear();
  }

  /** Says that it is there, and gives back what it has not needed for a while. Rejects when nobody heard it. */
  async beat(): Promise<void> {
    // One that waits for an answer is enough.
    if (this.#isBeating) return;
    this.#isBeating = true;
    try {
      await this.#beat();
    } finally {
      this.#isBeating = false;
    }
  }

  async #beat(): Promise<void> {
    const { allowances, clock } = this.#options;
    const sentAtMs = clock.now();
    if (!(await allowances.beat())) this.#lose();
    this.#heardAtMs = sentAtMs;
    const idle = [...this.#pots.values()].filter((pot) => sentAtMs - pot.heldAtMs > IDLE_MS);
    for (const pot of idle) {
      await this.#giveBack(pot);
      if (!pot.isEmpty) continue;
      this.#pots.delete(potName(pot.owner));
      this.#turns.delete(potName(pot.owner));
    }
  }

  #lose(): void {
    this.#options.log.error({}, 'nothing was heard of this gateway for so long that what it had set aside of budgets is free again');
    this.#unbooked.clear();
    for (const pot of this.#pots.values()) pot.lose();
  }

  /** Another gateway has too little of this pot: what is not needed here goes back. */
  async recall(name: string): Promise<void> {
    const pot = this.#pots.get(name);
    if (pot !== undefined) await this.#giveBack(pot);
  }

  hasCredit(organization: string): boolean {
    return this.#prepaid.has(organization);
  }

  openCredit(organization: string): void {
    this.#prepaid.add(organization);
  }

  /** What there is, is looked up when something is set aside of it. */
  creditOpened(): void {}

  closeCredit(organization: string): void {
    this.#prepaid.delete(organization);
  }

  raiseCredit(): void {}

  openBudget(budget: Budget, nowWallMs: number): { readonly period: string } {
    this.#addBudget(budget);
    return { period: periodOf(budget, nowWallMs) };
  }

  budgetOpened({ budget }: BudgetState): void {
    this.#options.onSpent(budget);
  }

  removeBudget(budget: Budget): void {
    this.#budgets.remove(budget);
    this.#known.delete(budget.id);
  }

  #addBudget(budget: Budget): void {
    if (this.#known.has(budget.id)) return;
    this.#known.set(budget.id, budget);
    this.#budgets.add(budget);
  }

  #potsOf(payer: Payer, admittedAtMs: number): SharedPot[] {
    const { organization } = payer;
    const credit = this.#prepaid.has(organization) ? [this.#potOf({ kind: 'credit', organization })] : [];
    return [...credit, ...this.#budgets.of(payer).map((budget) => this.#potOf({ kind: 'budget', budget, period: periodOf(budget, admittedAtMs) }))];
  }

  #potOf(owner: PotOwner): SharedPot {
    const name = potName(owner);
    const known = this.#pots.get(name);
    if (known !== undefined) return known;
    const pot = new SharedPot(owner);
    this.#pots.set(name, pot);
    return pot;
  }

  /** What it has set aside may be others' by now, when nobody heard of it for so long. */
  #refuseAlone(): void {
    const { clock, allowanceMs } = this.#options;
    if (clock.now() - this.#heardAtMs <= allowanceMs) return;
    throw new MeridianError('overloaded', { message: 'What may still be spent cannot be looked up now; try again shortly.', retryAfterMs: 5_000 });
  }

  #held({ amount, expiresAtMs }: HoldWanted, pots: readonly SharedPot[]): HoldAnswer {
    const hold = new Hold(amount, expiresAtMs, pots);
    if (pots.length > 0) this.#open.add(hold);
    const nowMs = this.#options.clock.now();
    for (const pot of pots) {
      pot.heldAtMs = nowMs;
      if (isHard(pot.owner) && pot.left * 4n < pot.portion) this.#drawAhead(pot);
    }
    return { kind: 'held', hold };
  }

  async #placeWithMore(wanted: HoldWanted, pots: readonly SharedPot[]): Promise<HoldAnswer> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const short = pots.find((pot) => !pot.hasRoomFor(wanted.amount));
      if (short === undefined) return this.#held(wanted, pots);
      short.heldAtMs = this.#options.clock.now();
      const moved = await this.#draw(short, wanted.amount);
      if (moved !== null && moved.added === 0n && !short.hasRoomFor(wanted.amount)) {
        return { kind: 'refused', pot: short, why: whyRefused(short, sumOf([short.left, moved.free]), wanted.amount) };
      }
    }
    throw new MeridianError('overloaded', { message: 'Too many requests are paid from one budget at once; try again shortly.', retryAfterMs: 1_000 });
  }

  /** Sets more aside until a hold of `amount` has room, or there is no more. Null: it had room when its turn came. */
  #draw(pot: SharedPot, amount: FemtoUsd): Promise<AllowanceMoved | null> {
    return this.#turn(pot, async () => {
      if (amount > 0n && pot.hasRoomFor(amount)) return null;
      const moved = await this.#move(pot, amount);
      const lacking = (amount - pot.left - moved.free) as FemtoUsd;
      if (pot.hasRoomFor(amount) || amount === 0n || moved.elsewhere < lacking) return moved;
      return this.#recall(pot, amount, moved);
    });
  }

  async #recall(pot: SharedPot, amount: FemtoUsd, found: AllowanceMoved): Promise<AllowanceMoved> {
    const { clock, onShort } = this.#options;
    if (clock.now() - pot.recalledAtMs < RECALL_PAUSE_MS) return found;
    let moved = found;
    onShort(potName(pot.owner));
    for (let step = 0; step < RECALL_STEPS; step += 1) {
      await wait(clock, RECALL_STEP_MS);
      moved = await this.#move(pot, amount);
      if (pot.hasRoomFor(amount)) return moved;
    }
    pot.recalledAtMs = clock.now();
    return moved;
  }

  async #move(pot: SharedPot, amount: FemtoUsd, giveBack?: FemtoUsd): Promise<AllowanceMoved> {
    // What had no answer may have been done: that is known first.
    if (pot.pending !== null) await this.#send(pot, pot.pending);
    const missing = (amount - pot.left) as FemtoUsd;
    const back = giveBack === undefined ? {} : { giveBack };
    return this.#send(pot, { owner: pot.owner, number: this.#nextNumber(), atLeast: missing > 0n ? missing : NOTHING, ...back });
  }

  /** Rises over restarts too: those before it have nothing set aside any more. */
  #nextNumber(): number {
    this.#moves += 1;
    return this.#moves;
  }

  async #send(pot: SharedPot, move: AllowanceMove): Promise<AllowanceMoved> {
    pot.pending = move;
    const moved = await this.#options.allowances.move(move);
    pot.pending = null;
    pot.stay(move.giveBack ?? NOTHING);
    pot.allow(moved.added);
    if (moved.added > 0n) pot.portion = moved.added;
    return moved;
  }

  /** Asks for the next portion while there is still some left. */
  #drawAhead(pot: SharedPot): void {
    const { log } = this.#options;
    // One that finds nothing more is not asked for again and again.
    pot.portion = NOTHING;
    this.#draw(pot, NOTHING).catch((error: unknown) => log.warn({ pot: potName(pot.owner), error: String(error) }, 'no more of a budget could be set aside; what is left here goes on'));
  }

  #giveBack(pot: SharedPot): Promise<void> {
    return this.#turn(pot, async () => {
      if (pot.pending !== null) await this.#send(pot, pot.pending);
      const { left } = pot;
      if (left <= 0n) return;
      pot.leave(left);
      await this.#move(pot, NOTHING, left);
    });
  }

  #turn<Value>({ owner }: SharedPot, act: () => Promise<Value>): Promise<Value> {
    const name = potName(owner);
    const turn = this.#turns.get(name) ?? new InTurn();
    this.#turns.set(name, turn);
    return turn.run(act);
  }
}
