/** Codes of ISO 639-2 for those of ISO 639-1 that sites use for subtitles: mp4 knows languages by three letters only. */
const THREE_LETTERS: Readonly<Record<string, string>> = Object.fromEntries(
  (
    'af:afr am:amh ar:ara az:aze be:bel bg:bul bn:ben bs:bos ca:cat cs:ces cy:cym da:dan de:deu el:ell en:eng eo:epo ' +
    'es:spa et:est eu:eus fa:fas fi:fin fil:fil fr:fra ga:gle gl:glg gu:guj ha:hau he:heb hi:hin hr:hrv hu:hun hy:hye ' +
    'id:ind is:isl it:ita iw:heb ja:jpn jv:jav ka:kat kk:kaz km:khm kn:kan ko:kor ku:kur ky:kir la:lat lb:ltz lo:lao ' +
    'lt:lit lv:lav mk:mkd ml:mal mn:mon mr:mar ms:msa mt:mlt my:mya nb:nob ne:nep nl:nld nn:nno no:nor pa:pan pl:pol ' +
    'ps:pus pt:por ro:ron ru:rus sd:snd si:sin sk:slk sl:slv so:som sq:sqi sr:srp su:sun sv:swe sw:swa ta:tam te:tel ' +
    'tg:tgk th:tha tl:tgl tr:tur uk:ukr ur:urd uz:uzb vi:vie xh:xho yi:yid yo:yor zh:zho zu:zul'
  )
    .split(' ')
    .map((pair) => pair.split(':') as [string, string]),
)

/** The three letters of a language tag as a site spells it (`en-GB`, `zh_Hans`); `und` for one that is not known. */
export function languageCode(tag: string): string {
  const [language = ''] = tag.toLowerCase().split(/[-_.]/)
  if (/^[a-z]{3}$/.test(language)) return language
  return Object.hasOwn(THREE_LETTERS, language) ? (THREE_LETTERS[language] ?? 'und') : 'und'
}
