"""Words that turn a meaning around: two questions that differ in one of them are two questions, however alike.

Rule: word lists and a walk over a text, nothing else. In doubt a word counts: what is listed too much costs a hit,
what is missing costs a wrong answer. The languages are English, German, French, Spanish, Italian, Portuguese, Dutch.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

NEGATIONS = """
    not no never none nobody nothing nowhere neither nor without cannot hardly barely scarcely except unless lack
    lacks lacking instead rather fail fails failed stop stopped avoid forbid forbidden ban banned nicht kein keine
    keinen keinem keiner keines nie niemals niemand nichts nirgends weder noch ohne kaum außer ausser ne pas jamais
    rien personne aucun aucune ni sans sauf guère sinon nunca jamás jamas nada nadie ningún ningun ninguno ninguna
    tampoco sin excepto salvo non mai niente nulla nessuno nessun nessuna né senza tranne neanche nemmeno neppure
    não nao nem nenhum nenhuma ninguém ninguem sem exceto niet geen nooit niets nergens zonder behalve ikke inte ej
    ei nu değil yok
"""
QUANTITIES = """
    all any some every each both either half double twice once only just few fewer many much several most more less
    least enough too almost nearly exactly about over under above below at up down zero one two three four five six
    seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty
    forty fifty sixty seventy eighty ninety hundred thousand million billion dozen first second third fourth fifth
    last next previous single triple quarter alle alles jeder jede jedes einige manche viele viel wenig wenige
    weniger mehr meist meisten mindestens höchstens nur fast genau beide halb doppelt null eins zwei drei vier fünf
    sechs sieben acht neun zehn elf zwölf hundert tausend erste ersten zweite zweiten dritte dritten letzte letzten
    nächste nächsten tout tous toute toutes chaque quelques plusieurs beaucoup peu plus moins trop assez presque
    seulement deux trois quatre cinq sept huit neuf dix onze douze cent mille premier première deuxième dernier
    dernière demi todo todos toda todas cada algunos muchos mucho pocos poco más mas menos demasiado casi solo sólo
    dos tres cuatro cinco seis siete ocho nueve diez cien mil primero primera segundo segunda último última medio
    tutto tutti tutta tutte ogni alcuni molti molto pochi più meno troppo quasi due tre quattro cinque sei sette
    otto nove dieci cento primo prima secondo ultimo ultima mezzo tudo alguns muitos muito poucos pouco mais quase
    só somente dois duas três quatro sete oito dez cem primeiro primeira meio iedere elke sommige veel weinig meer
    minder minst meest bijna alleen twee drie vijf zes zeven negen tien honderd duizend eerste tweede laatste
    volgende
"""
OPPOSITES = """
    before after increase decrease increases decreases raise lower reduce grow shrink enable disable enabled
    disabled on off allow deny allowed denied accept reject accepted rejected buy sell bought sold open close opened
    closed min max minimum maximum start end begin finish pause resume add remove added removed insert delete create
    destroy import export upload download install send receive sent received push pull lock encrypt decrypt encode
    decode login logout sign signup signin in out into from to than inside outside left right top bottom north south
    east west high low higher highest lowest big small bigger smaller large larger largest smallest long short
    longer shorter old new older newer oldest newest fast slow faster slower early late earlier later earliest
    latest cheap expensive cheaper cheapest good bad better worse best worst hot cold warm cool true false yes same
    different similar opposite equal always sometimes often rarely safe dangerous legal win lose won lost pass
    passed borrow lend rent pros cons advantage advantages disadvantage disadvantages benefit benefits risk risks
    cause causes effect effects credit debit income expense profit loss public private internal external encrypted
    plain male female man woman men women boy girl husband wife mother father son daughter input output source
    target client server parent child read write load save show hide include exclude with within against for toward
    per vs versus between ascending descending past future present today tomorrow yesterday tonight now then morning
    afternoon evening night day week month year hour minute daily weekly monthly yearly annual monday tuesday
    wednesday thursday friday saturday sunday january february march april may june july august september october
    november december spring summer autumn winter am pm was were will would did had has have been should must shall
    could might can vor nach vorher nachher erhöhen senken aktivieren deaktivieren ein aus an ab erlauben verbieten
    kaufen verkaufen öffnen schließen mit für gegen hinzufügen entfernen löschen erstellen größer kleiner höher
    niedriger besser schlechter teurer billiger schneller langsamer früher später gestern heute morgen von zu bis
    als war waren wird werden links rechts oben unten immer gleich anders richtig falsch ja neu alt avant après
    augmenter diminuer activer désactiver autoriser interdire acheter vendre ouvrir fermer avec pour contre ajouter
    supprimer créer meilleur pire mieux hier aujourd'hui demain de à vers que gauche droite haut bas toujours oui
    vrai faux nouveau ancien grand petit entrée sortie antes después aumentar disminuir activar desactivar permitir
    prohibir comprar vender abrir cerrar con para contra añadir agregar quitar eliminar crear mejor peor ayer hoy
    mañana desde hasta hacia izquierda derecha arriba abajo siempre sí si verdadero falso nuevo viejo grande pequeño
    entrada salida dopo aumentare diminuire attivare disattivare permettere vietare comprare vendere aprire chiudere
    contro aggiungere rimuovere eliminare creare migliore peggiore meglio peggio ieri oggi domani da verso sinistra
    destra sopra sotto sempre vero nuovo vecchio piccolo entrata uscita depois diminuir ativar desativar proibir
    fechar com sem adicionar remover excluir criar melhor pior ontem hoje amanhã até esquerda direita acima abaixo
    sim verdadeiro novo velho pequeno saída voor na verhogen verlagen inschakelen uitschakelen toestaan verbieden
    kopen verkopen openen sluiten met tegen toevoegen verwijderen maken beter slechter gisteren vandaag van naar tot
    dan boven onder altijd waar onwaar nieuw oud groot klein aan uit
"""
WHO = """
    who whom whose what which when where why how my your his her its our their mine yours me you him us them he she
    they we wer wem wen wessen was welche welcher welches wann wo woher wohin warum wieso wie mein meine dein deine
    sein seine ihr ihre unser unsere qui quoi quel quelle quels quelles quand où pourquoi comment combien mon ma mes
    ton ta tes son sa ses notre votre leur quién quien qué cuál cual cuándo cuando dónde donde cómo como cuánto
    cuanto mi tu su nuestro nuestra chi che cosa quale quando dove perché come quanto mio mia tuo tua suo sua nostro
    vostro quem qual onde porquê meu minha teu seu nosso nossa wat welke wanneer waar waarom hoe mijn jouw zijn haar
    ons onze hun
"""
# Words that may come and go: articles, and what joins words without a meaning of its own.
FILLERS = """
    a an the of is are am be do does so well ok okay um uh i i'm im it this that there and der die das den dem des
    ist sind es und zum zur ich le la les un une est sont ce il et je du l d c el los las una son lo y yo del al gli
    uno è sono e io della o os as uma é são eu da de het een zijn en ik dat
"""
# Words of courtesy. They count where a text may be about words: who asks how to say thanks does not ask for hello.
COURTESY = """
    please pls plz kindly bitte svp hi hello hey dear thanks thx cheers greetings hallo danke moin servus bonjour salut
    merci hola gracias ciao grazie olá obrigado obrigada hoi bedankt
"""
COURTEOUS = re.compile(
    r"\b(?:thank you|many thanks|thanks)(?: (?:so|very) much| a lot| in advance)?\b|\bgood (?:morning|day|evening)\b"
    r"|\bguten (?:tag|morgen|abend)\b|\bvielen dank\b|\bs'il (?:vous|te) pla[iî]t\b|\bpor favor\b|\bper favore\b"
    r"|\bmuchas gracias\b|\bbuenos días\b|\bmuito obrigad[oa]\b|\bdank je(?: wel)?\b|\balstublieft\b",
    re.IGNORECASE,
)
ABOUT_WORDS = re.compile(
    r"[:\"“”„«»`\n]|transl|[üu]bersetz|tradu|vertaal|\bsa(?:y|ys|id|g|gt|ge)\b|spell|mean|word|phras|wr[io]t|text|mail"
    r"|messag|letter|repl|answer|greet|schreib|heiß|bedeut|[eé]cri|escri|scriv|\bdi(?:re|t|ce|go)\b|deci|zeg|schrijf"
    r"|betek|\bmots?\b|palabra|parol|palavra|signif",
    re.IGNORECASE,
)
TURNING = frozenset(f"{NEGATIONS} {QUANTITIES} {OPPOSITES} {WHO}".split())
MAY_BE_MISSING = frozenset(FILLERS.split()) - TURNING
OR_IN_COURTESY = MAY_BE_MISSING | frozenset(COURTESY.split())
# What most often unmakes a word: beside a word of such a beginning or end, the bare one is another question.
UNMAKING = re.compile(
    r"(?:un|dis|non|in|im|il|ir|mis|anti|de|ex|re|over|under|pre|post|inter|intra|sub|super|ent|ver)"
    r"|.*(?:less|ful|los|proof|free)$"
)
NOT = re.compile(r".*n't$|(?:do|does|did|is|are|was|were|wo|ca|could|should|would|have|has)nt$")
WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
QUOTED = re.compile(r"\"([^\"]*)\"|“([^”]*)”|„([^“”]*)[“”]|«([^»]*)»|(?<!\w)'([^']*)'(?!\w)")
EDGES = ".,;:!?()[]{}\"'«»„“”…¿¡"
SENTENCE_ENDS = (".", "!", "?", ":", ";")
APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\u00b4`", "'"))


def guard_of(text: str) -> bytes:
    """A digest of what turns the meaning: words of the lists, numbers, names, quoted text, and the order of it all.

    Of each other word only the first letter counts: a slip of the pen leaves it, another word mostly does not.
    """
    text = text.translate(APOSTROPHES)
    skipped = MAY_BE_MISSING
    if not ABOUT_WORDS.search(text):
        text, skipped = COURTEOUS.sub(" ", text), OR_IN_COURTESY
    digest = hashlib.blake2b(digest_size=16, person=b"tierwise guard 1")
    for one in (*_marks(text, skipped), *_quoted(text)):
        said = one.encode("utf-8", "surrogatepass")
        digest.update(len(said).to_bytes(4, "little") + said)
    return digest.digest()


def _marks(text: str, skipped: frozenset[str]) -> list[str]:
    found: list[str] = []
    for line in text.splitlines():
        begins = True
        for chunk in line.split():
            marks = _of_chunk(chunk, skipped, begins)
            found += marks
            begins = chunk.endswith(SENTENCE_ENDS) or (begins and not marks)
    return found


def _of_chunk(chunk: str, skipped: frozenset[str], begins: bool) -> list[str]:
    bare = chunk.strip(EDGES)
    if not bare:
        return []
    if not WORD.fullmatch(bare):
        return [f"= {chunk.rstrip('.,;:?')}"]  # a number, a sign, an address, an identifier
    return [_mark(part, begins) for part in bare.split("-") if part.casefold() not in skipped]


def _mark(word: str, begins: bool) -> str:
    """What of a word must be the same: all of it, or its first letter."""
    folded = word.casefold()
    if NOT.match(folded):
        return "not"
    if begins or folded in TURNING or UNMAKING.match(folded) or word[0].isupper():
        return folded
    if not word.islower():
        return f"= {word}"  # an identifier with a capital inside
    return unicodedata.normalize("NFD", folded)[0]


def _quoted(text: str) -> list[str]:
    return ['" ' + "".join(found) for found in QUOTED.findall(text)]
