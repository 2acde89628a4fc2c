const words = `
a about above after again against all am an and any are aren as at be because been before being below between both but by
can cannot could couldn d did didn do does doesn doing don down during each few for from further had hadn has hasn have
haven having he her here hers herself him himself his how i if in into is isn it its itself just ll m ma me might mightn
more most must mustn my myself needn no nor not now o of off on once only or other our ours ourselves out over own re s same
shan she should shouldn so some such t than that the their theirs them themselves then there these they this those through
to too under until up ve very was wasn we were weren what when where which while who whom why will with won would wouldn y
you your yours yourself yourselves`;

const courtesies = `
anything anytime assist bye certainly course day cool fine glad good goodbye got great happy hello help hey hi lol lot lots much nice ok
okay please pleasure problem right see sorry sure take care talk thank thanks today understood welcome well wow yeah yep yes`;

const setOf = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** English words that say nothing about the topic of a text, and the parts that apostrophes split them into. */
export const stopWords = setOf(words);

/** English words of greetings, thanks and stock phrases. They are terms if the text also has other words. */
export const courtesyWords = setOf(courtesies);
