"""The page's style: one sheet for light and dark, for a telephone and for paper.

Rule: a colour is a name here and nowhere else. Nothing is told by colour alone.
"""

STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#566173;--line:#dde3ea;--paper:#fff;--card:#f7f9fb;--good:#0f766e;
--good-back:#dff3ef;--bad:#b42318;--bad-back:#fdeceb;--open:#8a5a00;--open-back:#fdf3dc;--blank:#eef1f5;--mark:#2563a8}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e4e9f0;--soft:#9aa6b8;--line:#333c49;--paper:#12161c;
--card:#1a2029;--good:#4fc3b0;--good-back:#12332f;--bad:#ff8d84;--bad-back:#3a1b1a;--open:#e6b450;--open-back:#352a12;
--blank:#20262f;--mark:#7fb2ea}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:2rem auto;max-width:1080px;
padding:0 1rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .2rem}h2{font-size:1.15rem;margin:2.6rem 0 .3rem}
h3{font-size:1rem;margin:1.3rem 0 .3rem}
figure h3{margin:0 0 .2rem}p{margin:.3rem 0 .8rem;max-width:75ch}.muted,figcaption{color:var(--soft)}
.small{font-size:.87rem}code{font-size:.9em}
.banner{border:2px solid var(--bad);background:var(--bad-back);border-radius:8px;padding:.7rem 1rem;margin:1rem 0}
.banner.open{border-color:var(--open);background:var(--open-back)}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr));gap:.9rem;margin:1rem 0}
.tile{border:1px solid var(--line);border-top:4px solid var(--soft);border-radius:8px;padding:.7rem .9rem;
background:var(--card)}
.tile.good{border-top-color:var(--good)}.tile.bad{border-top-color:var(--bad)}.tile.open{border-top-color:var(--open)}
.tile b{display:block;font-size:1.35rem;line-height:1.3}.tile p{margin:.25rem 0 0;font-size:.87rem}
.figures{display:flex;flex-wrap:wrap;gap:.3rem 1.6rem;margin:.6rem 0;padding:0;list-style:none}
.figures b{font-variant-numeric:tabular-nums}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,25rem),1fr));gap:1.2rem}
figure{margin:0;border:1px solid var(--line);border-radius:8px;padding:.7rem .8rem .4rem;background:var(--card);
break-inside:avoid}figcaption{font-size:.85rem}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.38rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600}table.tight{width:auto}.wide+.plots,figure+.wide{margin-top:1rem}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.cell{min-width:11.5rem;border-left:4px solid var(--paper);line-height:1.35}td.cell b{font-size:1.02rem}
td.clears{background:var(--good-back)}td.fails{background:var(--bad-back)}
td.undecided,td.open{background:var(--open-back)}td.untried{background:var(--blank);color:var(--soft)}
.sign{font-weight:700}.clears .sign{color:var(--good)}.fails .sign{color:var(--bad)}
.undecided .sign,.open .sign{color:var(--open)}.won{outline:2px solid var(--good);outline-offset:-3px}
details{border:1px solid var(--line);border-radius:8px;margin:.5rem 0;padding:.4rem .8rem;background:var(--card)}
summary{cursor:pointer}.sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,17rem),1fr));gap:.8rem;
margin:.6rem 0}.sides>div{min-width:0}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--blank);
border-radius:6px;padding:.5rem .7rem;margin:.2rem 0;font-size:.83rem;max-height:22rem;overflow-y:auto}
svg{width:100%;height:auto;display:block}svg.month{max-width:500px}
svg text{font:12.5px system-ui,sans-serif;fill:var(--ink)}
svg .small{font-size:11.5px;fill:var(--soft)}svg .strong{font-weight:600}
svg .label{paint-order:stroke;stroke:var(--card);stroke-width:3.5px;stroke-linejoin:round}svg .claimed{fill:var(--open)}
svg .grid{stroke:var(--line);stroke-width:1}svg .axis{stroke:var(--soft)}
svg .claim{stroke:var(--open);stroke-width:1.5;stroke-dasharray:5 4}
svg .front{fill:none;stroke:var(--mark);stroke-width:1.5;opacity:.55}
svg .interval{stroke:var(--mark);stroke-width:1.6}svg .point{fill:var(--mark);stroke:var(--mark);stroke-width:1.6}
svg .beaten{fill:var(--card)}svg .winner{fill:none;stroke:var(--good);stroke-width:2.4}
svg .median{stroke:var(--mark);stroke-width:5;opacity:.85}svg .tail{stroke:var(--mark);stroke-width:1.6}
svg .bar{fill:var(--mark)}svg .bar.paid{fill:var(--soft)}svg .bar.pick{fill:var(--good)}
@media print{:root{color-scheme:light}body{max-width:none;margin:0;font-size:11px}
.plots{grid-template-columns:1fr 1fr}.tiles{grid-template-columns:repeat(3,1fr)}
h2,h3{break-after:avoid}tr{break-inside:avoid}details{break-inside:avoid}
details::details-content{content-visibility:visible;display:block}pre{max-height:none}.wide{overflow:visible}}
"""
