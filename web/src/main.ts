import { mount } from 'svelte'
import './styles/tokens.css'
import './styles/base.css'
import Panel from './Panel.svelte'

mount(Panel, { target: document.getElementById('panel')! })
