async function e(e,t,n){let r=e.pipeThrough(new TextDecoderStream).getReader(),i=``;for(;;){let{value:e,done:a}=await r.read();if(a)return;let o=(i+e).split(t);i=o.pop();for(let e of o)n(e)}}function t(t,n){return e(t,`

`,e=>{let t=e.split(`
`),r=e=>t.find(t=>t.startsWith(`${e}: `))?.slice(e.length+2);n({id:r(`id`),event:r(`event`),data:r(`data`)})})}export{e as n,t};